/**
 * A job in short: its name, and its outcome.
 * @import {IconName, Job, JobState, Verdict} from "../lib/types.js"
 */

import {problemOf} from "../lib/api.js";
import {h, icon} from "../lib/dom.js";
import {duration, languageName, percent, translations} from "../lib/i18n.js";

const t = translations({
  en: {
    queued: "Waiting", queued_at: "Waiting: number {n}", queued_next: "Waiting: next in line", running: "In work",
    succeeded: "Done", failed: "Failed", cancelled: "Cancelled",
    bona_fide: "Probably genuine", inconclusive: "Unclear", machine: "Probably made by AI", no_speech: "No speech",
    machine_share: "machine-made: {share}", speakers: {one: "{n} speaker", other: "{n} speakers"},
    utterances: {one: "{n} utterance", other: "{n} utterances"}, machine_speakers: "machine-made voices: {n} of {of}",
    into: "into {target}", unnamed: "Recording without a name",
  },
  ru: {
    queued: "В очереди", queued_at: "В очереди: место {n}", queued_next: "В очереди: следующее", running: "Выполняется",
    succeeded: "Готово", failed: "Не удалось", cancelled: "Отменено",
    bona_fide: "Вероятно, подлинный", inconclusive: "Неясно", machine: "Вероятно, создан ИИ", no_speech: "Нет речи",
    machine_share: "машинный: {share}",
    speakers: {one: "{n} говорящий", other: "{n} говорящих"},
    utterances: {one: "{n} реплика", few: "{n} реплики", many: "{n} реплик", other: "{n} реплики"},
    machine_speakers: "машинных голосов: {n} из {of}", into: "на {target}", unnamed: "Запись без имени",
  },
});

/** @type {readonly JobState[]} */
export const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

/** @param {JobState} state */
export const stateName = (state) => t(state);

/**
 * Return the file's name, or the text that is said.
 * @param {Job} job
 */
export const jobName = (job) => job.filename || job.params.text || t("unnamed");

/** @type {Record<Verdict, [look: string, symbol: IconName, words: Exclude<Verdict, "spoof">|"machine"]>} */
const VERDICTS = {
  bona_fide: ["good", "check", "bona_fide"], inconclusive: ["unsure", "warning", "inconclusive"],
  spoof: ["bad", "warning", "machine"], no_speech: ["", "sound", "no_speech"],
};

/**
 * Make a badge of a job's verdict, or of its state.
 * @param {Job} job
 */
export function badge(job) {
  const made = (/** @type {string} */ look, /** @type {IconName} */ symbol, /** @type {string} */ words) =>
    h("span", {class: `badge ${look}`}, icon(symbol), words);
  if (job.state === "queued") {
    const place = job.queue_position;
    const words = place === null ? t("queued") : place > 1 ? t("queued_at", {n: place}) : t("queued_next");
    return made("", "history", words);
  }
  if (job.state === "failed") return made("bad", "warning", t("failed"));
  if (job.state === "cancelled") return made("", "close", t("cancelled"));
  if (job.kind === "spoof" && job.result && job.result.verdict in VERDICTS) {
    const [look, symbol, words] = VERDICTS[job.result.verdict];
    return made(look, symbol, t(words));
  }
  return made("", "check", t("succeeded"));
}

/**
 * Return what is worth knowing of a job before it is opened, as short texts.
 * @param {Job} job
 */
export function facts(job) {
  const {result, params} = job;
  if (!result) return params.target ? [t("into", {target: languageName(params.target)})] : [];
  const found = [];
  const length = "duration" in result ? result.duration : result.seconds;
  if (typeof length === "number") found.push(duration(length));
  if ("p_spoof" in result && result.p_spoof !== null) found.push(t("machine_share", {share: percent(result.p_spoof)}));
  if ("utterances" in result) {
    const target = languageName(result.target);
    found.push(result.source ? `${languageName(result.source)} → ${target}` : t("into", {target}));
    found.push(t("utterances", {n: result.utterances}));
  }
  if ("language" in result && result.language) found.push(languageName(result.language));
  const judged = ("speaker_verdicts" in result ? result.speaker_verdicts
    : "spoof" in result ? result.spoof?.speakers : null) ?? [];
  const machines = judged.filter(({verdict}) => verdict === "spoof").length;
  if (machines) found.push(t("machine_speakers", {n: machines, of: judged.length}));
  else if (result.speakers.length) found.push(t("speakers", {n: result.speakers.length}));
  return found;
}

/**
 * Say why a job failed, and what to do; null where it did not.
 * @param {Job} job
 */
export const reasonOf = (job) => problemOf(job)?.message ?? null;
