/**
 * A translated recording: both texts side by side, heard row by row in either language.
 * @import {Child, Job, SpeechTranslation, Utterance} from "../lib/types.js"
 * @typedef {"source"|"target"} Side
 * @typedef {ReturnType<typeof player>} Player
 * @typedef {{element: HTMLElement, button?: HTMLButtonElement, label?: string}} Cell `button` where it can be played
 * @typedef {{utterance: Utterance, element: HTMLElement, cells: Record<Side, Cell>}} Row
 */

import {ask, hasStatus, isAbort, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, h, icon} from "../lib/dom.js";
import {clock, decimal, duration, languageTitle, translations} from "../lib/i18n.js";
import {jobMedia} from "../lib/job-media.js";
import {exclusive, playSpan, save} from "../lib/media.js";
import {problemSentence} from "../lib/problems.js";
import {langOf} from "./languages.js";

const t = translations({
  en: {
    original: "Original", translation: "Translation", loading: "Loading…", rows: "What was said, and its translation",
    play_source: "Play the original from {at}", play_target: "Play the translation of {at}", pause: "Pause",
    gone: "This recording is not kept any more.",
    nobody: "Nobody speaks in this recording, so there is nothing to translate.",
    summary: {one: "{n} utterance in {length}", other: "{n} utterances in {length}"}, voice: "voice: {voice}",
    drift: "Some begin up to {seconds} later than in the recording.", text_only: "Text only: nothing was spoken.",
    check: "Check this", check_why: "the translation looks like none; compare it with the original.",
    hurried: "{speed}× faster", faster: "Faster",
    faster_why: "spoken faster than usual, so that it fits before what is said next.", unspoken: "Not spoken",
    unspoken_why: "this could not be spoken; there is a pause in its place.", marks: "What the marks mean",
    downloads: "Downloads", source_files: "Original", target_files: "Translation", sound: "Sound",
    report: "All of it (JSON)", share: "Copy the link", timings: "How long it took", decode: "Reading the recording",
    vad: "Finding speech", asr: "Recognising", translating: "Translating", speech: "Speaking",
    total: "From beginning to end",
  },
  ru: {
    original: "Оригинал", translation: "Перевод", loading: "Загрузка…", rows: "Сказанное и его перевод",
    play_source: "Слушать оригинал с {at}", play_target: "Слушать перевод к {at}", pause: "Пауза",
    gone: "Эта запись больше не хранится.", nobody: "В этой записи никто не говорит, переводить нечего.",
    summary: {
      one: "{n} фраза за {length}", few: "{n} фразы за {length}", many: "{n} фраз за {length}",
      other: "{n} фразы за {length}",
    },
    voice: "голос: {voice}", drift: "Некоторые начинаются позже, чем в записи; самое большее на {seconds}.",
    text_only: "Только текст, без озвучки.", check: "Проверьте",
    check_why: "не похоже на перевод; сравните с оригиналом.", hurried: "Быстрее: {speed}×", faster: "Быстрее",
    faster_why: "произнесено быстрее обычного, чтобы успеть до следующей фразы.", unspoken: "Не озвучено",
    unspoken_why: "это произнести не удалось; на этом месте пауза.", marks: "Что значат пометки",
    downloads: "Скачать", source_files: "Оригинал", target_files: "Перевод", sound: "Звук",
    report: "Всё вместе (JSON)", share: "Скопировать ссылку", timings: "Сколько это заняло", decode: "Чтение записи",
    vad: "Поиск речи", asr: "Распознавание", translating: "Перевод", speech: "Озвучивание",
    total: "От начала до конца",
  },
});

/** @type {Partial<Record<string, "decode"|"vad"|"asr"|"translating"|"speech">>} words by stage */
const STAGES = {decode: "decode", vad: "vad", asr: "asr", translation: "translating", speech: "speech"};

/**
 * Make the rows of utterances.
 * @param {object} [options]
 * @param {Partial<Record<Side, string|null>>} [options.languages]
 * @param {Partial<Record<Side, Player>>} [options.players] without them the rows can't be played
 */
export function utteranceRows({languages = {}, players = {}} = {}) {
  const element = h("ol", {class: "translate-rows", "aria-label": t("rows"), tabindex: "0"});
  /** @type {Row[]} */
  const rows = [];

  /** @param {Utterance} utterance */
  function add(utterance) {
    const cells = {source: cellOf(utterance, "source"), target: cellOf(utterance, "target")};
    const row = h("li", {class: "translate-row"},
      h("time", {}, clock(utterance.start)), cells.source.element, cells.target.element, marks(utterance));
    rows.push({utterance, element: row, cells});
    element.append(row);
  }

  function clear() {
    rows.length = 0;
    fill(element);
  }

  /**
   * @param {Utterance} utterance
   * @param {Side} side
   * @returns {Cell}
   */
  function cellOf(utterance, side) {
    const text = h("p", {lang: langOf(languages[side]), dir: "auto"}, utterance[`${side}_text`]);
    const sound = players[side];
    const heard = span(utterance, side);
    if (!sound || !heard) return {element: h("div", {class: "translate-side"}, text)};
    const label = t(`play_${side}`, {at: clock(utterance.start)});
    const button = h("button", {type: "button", class: "quiet small icon-only", "aria-label": label}, icon("play"));
    /** @type {HTMLElement} */
    const cell = h("div", {class: "translate-side translate-playable", on: {click: () => {
      if (!getSelection()?.isCollapsed) return;
      if (!sound.media.paused && cell.classList.contains("is-playing")) sound.media.pause();
      else sound.play(...heard);
    }}}, button, text);
    return {element: cell, button, label};
  }

  /**
   * Highlight the row that is heard now.
   * @param {HTMLMediaElement} media
   * @param {Side} side which plays
   */
  function highlight(media, side) {
    const now = media.currentTime;
    for (const row of rows) {
      const [start, end] = span(row.utterance, side) ?? [Infinity, 0];
      const heard = !media.paused && now >= start - 0.05 && now < end;
      if (heard && !row.element.classList.contains("is-heard")) keepInView(row.element);
      row.element.classList.toggle("is-heard", heard);
      for (const [name, {element: cell, button, label = ""}] of Object.entries(row.cells)) {
        const is = heard && name === side;
        if (!button || cell.classList.contains("is-playing") === is) continue;
        cell.classList.toggle("is-playing", is);
        button.setAttribute("aria-label", is ? t("pause") : label);
        fill(button, icon(is ? "pause" : "play"));
      }
    }
  }

  /**
   * Scroll the list, not the page, to a row.
   * @param {HTMLElement} row
   */
  function keepInView(row) {
    const [box, seen] = [row.getBoundingClientRect(), element.getBoundingClientRect()];
    if (box.top < seen.top || box.bottom > seen.bottom) element.scrollTop += box.top - seen.top - seen.height / 3;
  }

  for (const side of /** @type {const} */ (["source", "target"])) {
    const media = players[side]?.media;
    if (!media) continue;
    for (const event of ["timeupdate", "play", "pause", "seeked"]) {
      media.addEventListener(event, () => highlight(media, side));
    }
  }
  return {element, add, clear};
}

/**
 * Return from when to when an utterance is heard in the original, or in the translation; null where it is not.
 * @param {Utterance} utterance
 * @param {Side} side
 * @returns {[start: number, end: number]|null}
 */
function span({start, end, audio_start: from, audio_end: to}, side) {
  if (side === "source") return [start, end];
  return from === null || to === null ? null : [from, to];
}

const isHurried = (/** @type {Utterance} */ {speed}) => speed !== null && speed > 1;

/** @param {Utterance} utterance */
function marks(utterance) {
  const found = [
    utterance.suspect && h("span", {class: "badge unsure"}, icon("warning"), t("check")),
    utterance.speech_error &&
      h("span", {class: "badge bad", title: utterance.speech_error}, icon("warning"), t("unspoken")),
    isHurried(utterance) && h("span", {class: "badge"}, t("hurried", {speed: decimal(utterance.speed ?? 1, 2)})),
  ].filter(Boolean);
  return found.length ? h("div", {class: "row translate-marks"}, found) : null;
}

/**
 * Explain the marks that are on the rows.
 * @param {Utterance[]} utterances
 */
function legend(utterances) {
  const meanings = [
    {mark: /** @type {const} */ ("check"), there: utterances.some(({suspect}) => suspect)},
    {mark: /** @type {const} */ ("unspoken"), there: utterances.some(({speech_error: error}) => error)},
    {mark: /** @type {const} */ ("faster"), there: utterances.some(isHurried)},
  ].filter(({there}) => there);
  if (!meanings.length) return null;
  return h("ul", {class: "translate-legend hint", "aria-label": t("marks")}, meanings.map(({mark}) =>
    h("li", {}, h("strong", {}, t(mark)), ": ", t(`${mark}_why`))));
}

/**
 * Make the result of a job that succeeded.
 * @param {{job: Job, report: SpeechTranslation, signal: AbortSignal}} options
 */
export function translationResult({job, report, signal}) {
  if (!report.utterances.length) return h("p", {class: "notice"}, t("nobody"));
  /** @type {Partial<Record<Side, Player>>} */
  const players = {source: player(job.id, "recording", t("original"), signal)};
  const audio = Object.keys(job.artifacts).find((name) => /^translation\.(?!json)/.test(name));
  if (audio) players.target = player(job.id, audio, t("translation"), signal);
  const rows = utteranceRows({languages: report, players});
  for (const utterance of report.utterances) rows.add(utterance);
  const heading = (/** @type {Side} */ side, /** @type {string} */ title) => h("div", {class: "translate-heading"},
    h("h3", {}, title, " ", h("span", {class: "hint"}, languageTitle(report[side] ?? ""))),
    players[side]?.element ?? h("p", {class: "hint"}, t("text_only")));
  const facts = [
    t("summary", {n: report.utterances.length, length: duration(report.duration)}),
    report.voice && t("voice", {voice: report.voice}),
  ].filter(Boolean).join(" · ");
  const late = report.audio?.max_drift ?? 0;
  const drift = late >= 0.5 ? t("drift", {seconds: duration(late)}) : null;
  const link = h("code", {hidden: true}, location.href);
  return [
    h("section", {class: "card", "aria-label": t("rows")},
      h("p", {class: "hint"}, facts, drift ? `. ${drift}` : null),
      h("div", {class: "translate-headings"}, heading("source", t("original")), heading("target", t("translation"))),
      rows.element, legend(report.utterances)),
    h("section", {class: "card"}, h("h3", {}, t("downloads")), downloads(job, report, players.target, signal),
      h("div", {class: "row"},
        copyButton({text: () => location.href, words: t("share"), from: link, symbol: "link"}), link),
      timings(job, report)),
  ];
}

/**
 * Make an audio element for a job's sound; `download` is its link, once there is an address.
 * @param {string} jobId
 * @param {string} name of the sound
 * @param {string} label
 * @param {AbortSignal} signal
 */
function player(jobId, name, label, signal) {
  const media = exclusive(h("audio", {controls: true, preload: "metadata", "aria-label": label}));
  const note = h("p", {class: "hint", role: "status"}, t("loading"));
  const element = h("div", {}, note, media);
  const download = h("a", {class: "button quiet small", hidden: true, download: true}, icon("download"), t("sound"));
  media.hidden = true;
  const source = jobMedia(media, {
    jobId, name, signal,
    onAddress: ({downloadUrl}) => {
      media.hidden = download.hidden = false;
      download.href = downloadUrl;
      fill(note);
    },
    onFault: (error) => { fill(note, hasStatus(error, 404, 410) ? t("gone") : sentenceOf(error)); },
  });
  source.keep(download);

  /**
   * @param {number} start seconds
   * @param {number} end seconds
   */
  async function play(start, end) {
    try {
      await playSpan(media, start, end);
    } catch (error) {
      // Another row was chosen before this one could begin.
      if (!isAbort(error)) fill(note, problemSentence("unplayable"));
    }
  }

  source.load();
  return {element, media, play, download};
}

/**
 * @param {Job} job
 * @param {SpeechTranslation} report
 * @param {Player|undefined} translated
 * @param {AbortSignal} signal
 */
function downloads(job, report, translated, signal) {
  const stem = (job.filename ?? "recording").replace(/\.[^.]+$/, "");
  const fault = h("p", {class: "fault", role: "alert", hidden: true});

  /**
   * @param {string} artifact
   * @param {string} filename
   */
  async function fetchFile(artifact, filename) {
    fault.hidden = true;
    try {
      save(await (await ask(`v1/jobs/${job.id}/artifacts/${artifact}`, {signal})).blob(), filename);
    } catch (error) {
      fault.hidden = false;
      fill(fault, sentenceOf(error) ?? "");
    }
  }

  /**
   * @param {string} artifact
   * @param {string} words
   * @param {string} filename
   */
  const file = (artifact, words, filename) => h("button", {
    type: "button", class: "quiet small", on: {click: () => fetchFile(artifact, filename)},
  }, icon("download"), words);
  const group = (/** @type {string} */ title, /** @type {Child[]} */ ...items) => h("div", {class: "row translate-files", role: "group", "aria-label": title},
    h("span", {}, title), items);
  const texts = (/** @type {Side} */ side) => ["txt", "srt", "vtt"].map((ending) =>
    file(`${side}.${ending}`, ending.toUpperCase(), `${stem}.${report[side]}.${ending}`));
  return h("div", {class: "stack"},
    group(t("source_files"), texts("source")),
    group(t("target_files"), texts("target"), translated?.download),
    h("div", {}, file("translation.json", t("report"), `${stem}.translation.json`)), fault);
}

/**
 * @param {Job} job
 * @param {SpeechTranslation} report
 */
function timings(job, report) {
  const rows = Object.entries(report.timings).map(([stage, seconds]) => {
    const words = STAGES[stage];
    return {name: words ? t(words) : stage, seconds};
  });
  if (job.started_at && job.finished_at) {
    rows.push({name: t("total"), seconds: (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000});
  }
  return h("details", {}, h("summary", {}, t("timings")), h("dl", {class: "translate-timings"},
    rows.map(({name, seconds}) => [h("dt", {}, name), h("dd", {class: "numbers"}, duration(seconds))])));
}
