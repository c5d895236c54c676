/** A job in short: of what kind it is, what it is called, and what came of it. */

import {problemOf} from "../lib/api.js";
import {h, icon} from "../lib/dom.js";
import {duration, languageName, percent, speaker} from "../lib/i18n.js";

const t = speaker({
  en: {
    spoof: "Voice check", transcription: "Transcript", translation: "Translation", avatar: "Avatar film",
    queued: "Waiting", queued_at: "Waiting: number {n}", queued_next: "Waiting: next in line", running: "In work",
    succeeded: "Done", failed: "Failed", cancelled: "Cancelled",
    bona_fide: "Probably genuine", inconclusive: "Unclear", machine: "Probably made by AI", no_speech: "No speech",
    machine_share: "machine-made: {share}", speakers: {one: "{n} speaker", other: "{n} speakers"},
    utterances: {one: "{n} utterance", other: "{n} utterances"}, machine_speakers: "machine-made voices: {n} of {of}",
    into: "into {target}", unnamed: "Recording without a name", unknown_kind: "{kind} (not known to this version)",
  },
  ru: {
    spoof: "Проверка голоса", transcription: "Расшифровка", translation: "Перевод", avatar: "Видео с аватаром",
    queued: "В очереди", queued_at: "В очереди: место {n}", queued_next: "В очереди: следующее", running: "Выполняется",
    succeeded: "Готово", failed: "Не удалось", cancelled: "Отменено",
    bona_fide: "Вероятно, подлинный", inconclusive: "Неясно", machine: "Вероятно, создан ИИ", no_speech: "Нет речи",
    machine_share: "машинный: {share}",
    speakers: {one: "{n} говорящий", other: "{n} говорящих"},
    utterances: {one: "{n} реплика", few: "{n} реплики", many: "{n} реплик", other: "{n} реплики"},
    machine_speakers: "машинных голосов: {n} из {of}", into: "на {target}", unnamed: "Запись без имени",
    unknown_kind: "{kind} (неизвестно этой версии)",
  },
});

/** The kinds of jobs: the section that shows one, and an icon. */
export const KINDS = {
  spoof: {section: "voice-check", icon: "voice"},
  transcription: {section: "transcript", icon: "transcript"},
  translation: {section: "translate", icon: "translate"},
  avatar: {section: "avatar", icon: "avatar"},
};
export const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];

export const kindName = (kind) => kind in KINDS ? t(kind) : t("unknown_kind", {kind});
export const stateName = (state) => t(state);
/** The address of a job's own page, without the part before #; null for a kind that no section shows. */
export const jobHash = (job) => job.kind in KINDS ? `#/${KINDS[job.kind].section}/${job.id}` : null;

/** The file's name, or the text that is said. */
export const jobName = (job) => job.filename || job.params.text || t("unnamed");

const VERDICTS = {
  bona_fide: ["good", "check", "bona_fide"], inconclusive: ["unsure", "warning", "inconclusive"],
  spoof: ["bad", "warning", "machine"], no_speech: ["", "sound", "no_speech"],
};

/** Its verdict, or its state, as a badge. */
export function badge(job) {
  const made = (look, symbol, words) => h("span", {class: `badge ${look}`}, icon(symbol), words);
  if (job.state === "queued") {
    const place = job.queue_position;
    const words = place === null ? t("queued") : place > 1 ? t("queued_at", {n: place}) : t("queued_next");
    return made("", "history", words);
  }
  if (job.state === "failed") return made("bad", "warning", t("failed"));
  if (job.state === "cancelled") return made("", "close", t("cancelled"));
  if (job.kind === "spoof" && job.result.verdict in VERDICTS) {
    const [look, symbol, words] = VERDICTS[job.result.verdict];
    return made(look, symbol, t(words));
  }
  return made("", "check", t("succeeded"));
}

/** What is worth knowing of it before it is opened, as short texts. */
export function facts(job) {
  const {result, params} = job;
  if (!result) return params.target ? [t("into", {target: languageName(params.target)})] : [];
  const found = [];
  const length = result.duration ?? result.seconds;
  if (typeof length === "number") found.push(duration(length));
  if (job.kind === "spoof" && result.p_spoof !== null) found.push(t("machine_share", {share: percent(result.p_spoof)}));
  if (job.kind === "translation") {
    found.push(`${languageName(result.source)} → ${languageName(result.target)}`, t("utterances", {n: result.utterances}));
  } else if (result.language) found.push(languageName(result.language));
  const judged = result.speaker_verdicts ?? result.spoof?.speakers ?? [];
  const machines = judged.filter(({verdict}) => verdict === "spoof").length;
  if (machines) found.push(t("machine_speakers", {n: machines, of: judged.length}));
  else if (result.speakers.length) found.push(t("speakers", {n: result.speakers.length}));
  return found;
}

/** Why it failed, and what to do; null where it did not. */
export const failure = (job) => job.error ? problemOf({...job.error, correlation_id: job.correlation_id}).message : null;
