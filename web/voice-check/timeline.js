/**
 * Probabilities over the course of a recording: while they come in, then with the sound to hear.
 * @import {JobEvent, SpoofChunk, SpoofJob, SpoofReport} from "../lib/types.js"
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {clock, percent, translations} from "../lib/i18n.js";
import {WHOLE} from "../lib/recording-player.js";
import {chance, endWithin, stepOf} from "../lib/spoof-scores.js";
import {tryAgain} from "../lib/try-again.js";
import {waveform} from "../lib/waveform.js";

const t = translations({
  en: {
    over_time: "Over time", so_far: "Judged so far", legend: "Probability that a machine made the voice",
    from_to: "{from} to {to}", from: "{from} and more", below: "under {to}", unscored: "not judged: too little speech",
    play: "Play the recording", pause: "Pause", loading: "Loading the sound…", download: "Download",
    pointer: "Click a part to hear it; while the whole recording plays, a click goes there.",
    keys: "Keys: arrows choose a part, Enter plays it, the space bar plays all.",
    slider: "Parts of the recording", part: "Part {index}, {from} to {to}: {chance}", no_score: "not judged",
    no_shape: "The shape of the sound is not kept for this recording; the colours are.",
    picture: "Judged so far: {time}",
  },
  ru: {
    over_time: "По ходу записи", so_far: "Уже проверено", legend: "Вероятность того, что голос создан машиной",
    from_to: "от {from} до {to}", from: "{from} и больше", below: "меньше {to}", unscored: "не оценено: мало речи",
    play: "Слушать запись", pause: "Пауза", loading: "Звук загружается…", download: "Скачать",
    pointer: "Нажмите на фрагмент, чтобы услышать его; пока играет вся запись, нажатие переходит в это место.",
    keys: "Клавиши: стрелки — выбор фрагмента, Enter — послушать его, пробел — вся запись.",
    slider: "Фрагменты записи", part: "Фрагмент {index}, {from} – {to}: {chance}", no_score: "не оценено",
    no_shape: "Форма звука этой записи не сохранена, только цвета.",
    picture: "Уже проверено: {time}",
  },
});

/**
 * Describe a part, for screen readers and the line above the picture.
 * @param {SpoofChunk} chunk
 * @param {number} index
 */
const partName = (chunk, index) => t("part", {
  index: index + 1, from: clock(chunk.start), to: clock(chunk.end),
  chance: chunk.p_spoof === null ? t("no_score") : chance(chunk.p_spoof),
});

const parts = (/** @type {SpoofChunk[]} */ chunks) => chunks.map((chunk, index) => ({
  start: chunk.start, end: chunk.end, ...stepOf(chunk.p_spoof),
  label: () => chunk.p_spoof === null ? "" : chance(chunk.p_spoof), text: () => partName(chunk, index),
}));

function legend() {
  const entry = (/** @type {string} */ level, /** @type {string} */ words) => h("li", {}, h("span", {class: `vc-swatch vc-${level}`}), words);
  return h("ul", {class: "vc-legend hint", "aria-label": t("legend")},
    entry("high", t("from", {from: percent(0.75)})),
    entry("raised", t("from_to", {from: percent(0.5), to: percent(0.75)})),
    entry("some", t("from_to", {from: percent(0.25), to: percent(0.5)})),
    entry("low", t("below", {to: percent(0.25)})),
    entry("unscored", t("unscored")));
}

/**
 * Make the timeline of a check that runs; `hear(event)` takes the job's events. Hidden until something is judged.
 * @param {{signal: AbortSignal}} options
 */
export function liveTimeline({signal}) {
  const picture = waveform({label: t("so_far"), signal});
  const element = h("section", {class: "card", hidden: true, "aria-label": t("so_far")},
    h("h2", {}, t("so_far")), picture, legend());
  /** @type {SpoofChunk[]} */
  let chunks = [];

  function clear() {
    chunks = [];
    element.hidden = true;
  }

  /** @param {JobEvent} event */
  function hear({type, data}) {
    if (["queued", "started", "retrying"].includes(type)) clear();
    if (type === "chunks") chunks = [...chunks, ...data.chunks];
    if (type !== "chunks" && type !== "progress") return;
    const judged = chunks.at(-1)?.end;
    if (judged === undefined) return;
    // The stage's progress is the share that is judged: it tells how long the recording is.
    const duration = type === "progress" && data.progress > 0 ? judged / Math.min(1, data.progress) : judged;
    element.hidden = false;
    picture.setAttribute("aria-label", t("picture", {time: clock(judged)}));
    picture.show({duration: Math.max(judged, duration), parts: parts(chunks)});
  }

  return extend(element, {clear, hear});
}

/**
 * Make the timeline of a finished check, with the sound.
 * @param {object} options
 * @param {SpoofJob} options.job
 * @param {SpoofReport} options.report
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 */
export function timeline({job, report, player, signal}) {
  const {chunks} = report;
  const duration = Math.max(report.duration, chunks.at(-1)?.end ?? 0);
  const last = chunks.length - 1;
  const stretch = (/** @type {number} */ index) => ({
    start: chunks[index].start,
    end: index === last ? endWithin(chunks[index].end, player.duration) : chunks[index].end,
  });
  const readout = h("span", {class: "vc-readout"});
  const time = h("span", {class: "numbers"});
  const label = h("span");
  const button = h("button", {type: "button", on: {click: () => player.toggle(WHOLE)}}, icon("play"), label);
  const problem = h("div", {class: "row", role: "status"});
  const shape = h("div", {class: "row hint vc-shape"});
  let chosen = 0;
  /** @type {number|null} */
  let hovered = null;

  const here = () => picture.indexAt(player.seconds);
  const hearPart = (/** @type {number} */ index) => player.toggle(`part-${index}`, [stretch(index)]);
  /** @type {ReturnType<typeof waveform>} */
  const picture = waveform({label: t("slider"), signal, controls: {
    current: () => player.playing ? here() : chosen,
    onHover: (index) => {
      hovered = index;
      tell();
    },
    onMove: (index) => {
      [chosen, hovered] = [index, null];
      picture.choose(index);
      tell();
      if (player.playing && player.playing !== WHOLE) player.pause();
      player.seek(chunks[index].start);
    },
    onPlay: (index) => {
      if (player.ready) hearPart(index);
    },
    onToggle: () => {
      if (player.ready) player.toggle(WHOLE);
    },
    onPoint: (seconds) => {
      if (player.playing === WHOLE) {
        player.seek(seconds);
        return;
      }
      chosen = picture.indexAt(seconds);
      picture.choose(chosen);
      if (player.ready) hearPart(chosen);
    },
  }});

  function tell() {
    const index = hovered ?? chosen;
    fill(readout, chunks[index] ? partName(chunks[index], index) : "");
  }

  function onTime() {
    fill(time, `${clock(player.seconds)} / ${clock(report.duration)}`);
    picture.cursor(player.seconds);
    if (player.playing && here() !== chosen) {
      chosen = here();
      // Said aloud, it would talk over the sound.
      picture.choose(chosen, {tell: false});
      tell();
    }
  }

  function onChange() {
    const plays = player.playing === WHOLE;
    button.disabled = !player.ready;
    button.firstChild?.replaceWith(icon(plays ? "pause" : "play"));
    fill(label, t(plays ? "pause" : "play"));
    if (!player.playing) picture.choose(chosen);
    const waits = !player.ready && !player.problem;
    problem.hidden = player.ready;
    if (waits) fill(problem, h("span", {class: "hint"}, t("loading")));
    else if (player.problem) {
      fill(problem, h("span", {}, player.problem), tryAgain(() => player.load(), "quiet small"), player.downloadUrl
        ? player.keepDownload(
          h("a", {class: "button quiet small", href: player.downloadUrl}, icon("download"), t("download"))) : null);
    }
  }

  async function loadShape() {
    fill(shape);
    if (!("waveform.json" in job.artifacts)) {
      fill(shape, t("no_shape"));
      return;
    }
    try {
      const found = await askJson(`v1/jobs/${job.id}/artifacts/waveform.json`, {signal});
      picture.show({peaks: found.peaks, secondsPerPoint: found.seconds_per_point});
    } catch (error) {
      const sentence = sentenceOf(error);
      if (sentence) fill(shape, sentence, tryAgain(loadShape, "quiet small"));
    }
  }

  player.addEventListener("time", onTime, {signal});
  player.addEventListener("change", onChange, {signal});
  picture.show({duration, parts: parts(chunks)});
  onTime();
  onChange();
  tell();
  loadShape();
  return h("section", {class: "card", "aria-label": t("over_time")}, h("h2", {}, t("over_time")),
    h("div", {class: "row"}, button, time, readout), problem, picture, shape, legend(),
    h("p", {class: "hint"}, t("pointer"), " ", h("span", {class: "vc-keys"}, t("keys"))));
}
