/**
 * A finished transcript: its facts, its speakers, its turns, and the dock below them.
 * @import {Transcript, TranscriptionJob} from "../lib/types.js"
 */

import {fill, h} from "../lib/dom.js";
import {resultNotices} from "../lib/engines.js";
import {clock, duration, languageName, translations} from "../lib/i18n.js";
import {dock} from "./dock.js";
import {files} from "./files.js";
import {paragraphsOf} from "./paragraphs.js";
import {speakersCard} from "./speakers.js";
import {turnList} from "./turns.js";

const t = translations({
  en: {
    words: {one: "{n} word", other: "{n} words"}, voices: {one: "{n} speaker", other: "{n} speakers"},
    silent: "Nobody speaks in this recording, so there is nothing to read. Listen to it below; if somebody does " +
      "speak, try a louder recording.",
    wordless: "Somebody speaks in this recording, but no words could be made out. Try again with the language chosen " +
      "by hand, or a clearer recording.",
    hint: "Click a word to hear the recording from there; click a name to change it.",
    text: "Text", timings: "How long it took", decode: "Reading the recording",
    diarization: "Telling the speakers apart",
    asr: "Recognising the words", merge: "Putting both together", spoof: "Judging the voices", vad: "Finding speech",
    total: "From beginning to end", renamed: "Renamed to {name}",
  },
  ru: {
    words: {one: "{n} слово", few: "{n} слова", many: "{n} слов", other: "{n} слова"},
    voices: {one: "{n} говорящий", few: "{n} говорящих", many: "{n} говорящих", other: "{n} говорящих"},
    silent: "В этой записи никто не говорит, читать нечего. Послушайте её ниже; если кто-то всё же говорит, возьмите " +
      "запись погромче.",
    wordless: "В этой записи кто-то говорит, но слов не разобрать. Повторите, выбрав язык вручную, или возьмите запись " +
      "почётче.",
    hint: "Нажмите на слово, чтобы слушать с него; нажмите на имя, чтобы его изменить.",
    text: "Текст", timings: "Сколько это заняло", decode: "Чтение записи", diarization: "Различение говорящих",
    asr: "Распознавание слов", merge: "Соединение того и другого", spoof: "Проверка голосов", vad: "Поиск речи",
    total: "От начала до конца", renamed: "Новое имя: {name}",
  },
});

const STAGES = /** @type {const} */ (["decode", "vad", "diarization", "asr", "spoof", "merge"]);

/**
 * Make the result's parts.
 * @param {object} options
 * @param {TranscriptionJob} options.job
 * @param {Transcript} options.transcript
 * @param {import("./people.js").People} options.people
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {HTMLElement} options.heading the file's name
 * @param {HTMLElement} options.actions beside it
 * @param {AbortSignal} options.signal
 */
export function transcriptResult({job, transcript, people, player, heading, actions, signal}) {
  const paragraphs = paragraphsOf(transcript, (known) => people.find(known));
  const news = h("p", {class: "visually-hidden", role: "status"});
  const onRenamed = (/** @type {string} */ name) => fill(news, t("renamed", {name}));
  const list = turnList({paragraphs, language: transcript.language, people, player, signal, onRenamed});
  const words = transcript.turns.reduce((sum, turn) => sum + (turn.words.length || turn.text.split(/\s+/).length), 0);
  const facts = [
    clock(transcript.duration), transcript.turns.length && languageName(transcript.language),
    people.all.length && t("voices", {n: people.all.length}), words && t("words", {n: words}),
  ].filter(Boolean).join(" · ");
  return [
    h("section", {class: "card", "aria-label": job.filename ?? t("text")},
      h("div", {class: "row spread"}, heading, actions), h("p", {class: "hint"}, facts), resultNotices(transcript),
      files({job, paragraphs, people, signal}), timings(job, transcript)),
    people.all.length ? speakersCard({job, transcript, people, player, signal, onRenamed}) : null,
    paragraphs.length
      ? h("section", {class: "card", "aria-label": t("text")},
        h("h2", {}, t("text")), h("p", {class: "hint"}, t("hint")), list.legend, list)
      : h("p", {class: "notice"}, t(transcript.diarization.length ? "wordless" : "silent")),
    dock({duration: transcript.duration, paragraphs, list, player, signal}),
    news,
  ];
}

/**
 * @param {TranscriptionJob} job
 * @param {Transcript} transcript
 */
function timings(job, transcript) {
  const rows = STAGES.filter((stage) => stage in transcript.timings)
    .map((stage) => ({name: t(stage), seconds: transcript.timings[stage]}));
  if (job.started_at && job.finished_at) {
    rows.push({name: t("total"), seconds: (Date.parse(job.finished_at) - Date.parse(job.started_at)) / 1000});
  }
  return h("details", {}, h("summary", {}, t("timings")), h("dl", {class: "transcript-timings"},
    rows.map(({name, seconds}) => [h("dt", {}, name), h("dd", {class: "numbers"}, duration(seconds))])));
}
