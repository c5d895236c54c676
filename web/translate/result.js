/** A translated recording: both texts side by side, heard row by row in either language. */

import {ask, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, h, icon} from "../lib/dom.js";
import {clock, decimal, duration, languageTitle, speaker} from "../lib/i18n.js";
import {jobMedia} from "../lib/job-media.js";
import {exclusive, playSpan, save} from "../lib/media.js";
import {problemSentence} from "../lib/problems.js";
import {langOf} from "./languages.js";

const t = speaker({
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

const STAGES = {decode: "decode", vad: "vad", asr: "asr", translation: "translating", speech: "speech"};

/** The rows of utterances; they can be played when `players` are there. */
export function utteranceRows({languages = {}, players = {}} = {}) {
  const element = h("ol", {class: "translate-rows", "aria-label": t("rows"), tabindex: "0"});
  const rows = [];
  element.count = 0;

  element.add = (utterance) => {
    const row = {utterance, sides: {}};
    row.element = h("li", {class: "translate-row"},
      h("time", {}, clock(utterance.start)), side(row, "source"), side(row, "target"), marks(utterance));
    rows.push(row);
    element.append(row.element);
    element.count = rows.length;
  };

  element.clear = () => {
    rows.length = element.count = 0;
    fill(element);
  };

  function side(row, which) {
    const words = row.utterance[`${which}_text`];
    const text = h("p", {lang: langOf(languages[which]), dir: "auto"}, words);
    const [start] = span(row.utterance, which);
    if (!players[which] || start === null) {
      row.sides[which] = {element: h("div", {class: "translate-side"}, text)};
      return row.sides[which].element;
    }
    const label = t(`play_${which}`, {at: clock(row.utterance.start)});
    const button = h("button", {type: "button", class: "quiet small icon-only", "aria-label": label}, icon("play"));
    const cell = h("div", {class: "translate-side translate-playable", on: {click: () => {
      if (getSelection().isCollapsed) toggle(row, which);
    }}}, button, text);
    row.sides[which] = {element: cell, button, label};
    return cell;
  }

  function toggle(row, which) {
    const media = players[which].media;
    if (!media.paused && row.element.classList.contains("is-heard")) media.pause();
    else players[which].play(...span(row.utterance, which));
  }

  /** Light the row that is heard now. */
  function light(which) {
    const {media} = players[which];
    const now = media.currentTime;
    for (const row of rows) {
      const [start, end] = span(row.utterance, which);
      const heard = !media.paused && start !== null && now >= start - 0.05 && now < end;
      if (heard && !row.element.classList.contains("is-heard")) keepInView(row.element);
      row.element.classList.toggle("is-heard", heard);
      for (const [name, {element: cell, button, label}] of Object.entries(row.sides)) {
        const is = heard && name === which;
        if (!button || cell.classList.contains("is-playing") === is) continue;
        cell.classList.toggle("is-playing", is);
        button.setAttribute("aria-label", is ? t("pause") : label);
        fill(button, icon(is ? "pause" : "play"));
      }
    }
  }

  /** Only the list may scroll for this, not the page. */
  function keepInView(row) {
    const [box, seen] = [row.getBoundingClientRect(), element.getBoundingClientRect()];
    if (box.top < seen.top || box.bottom > seen.bottom) element.scrollTop += box.top - seen.top - seen.height / 3;
  }

  for (const [which, {media}] of Object.entries(players)) {
    for (const event of ["timeupdate", "play", "pause", "seeked"]) media.addEventListener(event, () => light(which));
  }
  return element;
}

/** From when to when an utterance is heard in the original, or in the translation ([null, null]: not at all). */
function span(utterance, which) {
  return which === "source" ? [utterance.start, utterance.end] : [utterance.audio_start, utterance.audio_end];
}

const isHurried = ({speed}) => speed > 1;

function marks(utterance) {
  const found = [
    utterance.suspect && h("span", {class: "badge unsure"}, icon("warning"), t("check")),
    utterance.speech_error &&
      h("span", {class: "badge bad", title: utterance.speech_error}, icon("warning"), t("unspoken")),
    isHurried(utterance) && h("span", {class: "badge"}, t("hurried", {speed: decimal(utterance.speed, 2)})),
  ].filter(Boolean);
  return found.length ? h("div", {class: "row translate-marks"}, found) : null;
}

/** What the marks that stand on the rows mean. */
function legend(utterances) {
  const meanings = [
    [utterances.some(({suspect}) => suspect), "check"],
    [utterances.some(({speech_error: error}) => error), "unspoken"],
    [utterances.some(isHurried), "faster"],
  ].filter(([there]) => there);
  if (!meanings.length) return null;
  return h("ul", {class: "translate-legend hint", "aria-label": t("marks")}, meanings.map(([, mark]) =>
    h("li", {}, h("strong", {}, t(mark)), ": ", t(`${mark}_why`))));
}

/** Make the result of a job that succeeded; `report` is its translation.json. */
export function translationResult({job, report, signal}) {
  if (!report.utterances.length) return h("p", {class: "notice"}, t("nobody"));
  const players = {source: player(job.id, "recording", t("original"), signal)};
  const audio = Object.keys(job.artifacts).find((name) => /^translation\.(?!json)/.test(name));
  if (audio) players.target = player(job.id, audio, t("translation"), signal);
  const rows = utteranceRows({languages: report, players});
  for (const utterance of report.utterances) rows.add(utterance);
  const heading = (which, title, language) => h("div", {class: "translate-heading"},
    h("h3", {}, title, " ", h("span", {class: "hint"}, languageTitle(language))),
    players[which]?.element ?? h("p", {class: "hint"}, t("text_only")));
  const facts = [
    t("summary", {n: report.utterances.length, length: duration(report.duration)}),
    report.voice && t("voice", {voice: report.voice}),
  ].filter(Boolean).join(" · ");
  const drift = report.audio?.max_drift >= 0.5 ? t("drift", {seconds: duration(report.audio.max_drift)}) : null;
  const link = h("code", {hidden: true}, location.href);
  return [
    h("section", {class: "card", "aria-label": t("rows")},
      h("p", {class: "hint"}, facts, drift ? `. ${drift}` : null),
      h("div", {class: "translate-headings"}, heading("source", t("original"), report.source),
        heading("target", t("translation"), report.target)),
      rows, legend(report.utterances)),
    h("section", {class: "card"}, h("h3", {}, t("downloads")), downloads(job, report, players.target, signal),
      h("div", {class: "row"},
        copyButton({text: () => location.href, words: t("share"), from: link, symbol: "link"}), link),
      timings(job, report)),
  ];
}

/** An audio element for a job's sound; `download` is its link, once there is an address. */
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
    onFault: (error) => fill(note, [404, 410].includes(error.status) ? t("gone") : sentenceOf(error) ?? ""),
  });
  source.keep(download);

  async function play(start, end) {
    try {
      await playSpan(media, start, end);
    } catch (error) {
      // Another row was chosen before this one could begin.
      if (error.name !== "AbortError") fill(note, problemSentence("unplayable"));
    }
  }

  source.load();
  return {element, media, play, download};
}

function downloads(job, report, translated, signal) {
  const stem = (job.filename ?? "recording").replace(/\.[^.]+$/, "");
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  async function fetchFile(artifact, filename) {
    fault.hidden = true;
    try {
      save(await (await ask(`v1/jobs/${job.id}/artifacts/${artifact}`, {signal})).blob(), filename);
    } catch (error) {
      fault.hidden = false;
      fill(fault, sentenceOf(error) ?? "");
    }
  }
  const file = (artifact, words, filename) => h("button", {
    type: "button", class: "quiet small", on: {click: () => fetchFile(artifact, filename)},
  }, icon("download"), words);
  const group = (title, ...items) => h("div", {class: "row translate-files", role: "group", "aria-label": title},
    h("span", {}, title), items);
  const texts = (side, language) => ["txt", "srt", "vtt"].map((ending) =>
    file(`${side}.${ending}`, ending.toUpperCase(), `${stem}.${language}.${ending}`));
  return h("div", {class: "stack"},
    group(t("source_files"), texts("source", report.source)),
    group(t("target_files"), texts("target", report.target), translated?.download),
    h("div", {}, file("translation.json", t("report"), `${stem}.translation.json`)), fault);
}

function timings(job, report) {
  const nameOf = (stage) => STAGES[stage] ? t(STAGES[stage]) : stage;
  const rows = Object.entries(report.timings).map(([stage, seconds]) => [nameOf(stage), seconds]);
  rows.push([t("total"), (new Date(job.finished_at) - new Date(job.started_at)) / 1000]);
  return h("details", {}, h("summary", {}, t("timings")), h("dl", {class: "translate-timings"},
    rows.map(([name, seconds]) => [h("dt", {}, name), h("dd", {class: "numbers"}, duration(seconds))])));
}
