/**
 * A line that says which engine answers in a section and how good it is; opened, it tells of all engines at work there.
 * @import {Child, Engine, Engines, Measurement, RoleEngine, RoleName} from "./types.js"
 */

import {askJson, key} from "./api.js";
import {fill, h, icon} from "./dom.js";
import {decimal, languageName, locale, percent, translations} from "./i18n.js";

const t = translations({
  en: {
    unknown: "Which engine answers could not be found out.", overview: "Engines, how good they are, and what would be better",
    notice: "Notice", not_measured: "not measured here", no_model: "no language model", measured: "{what} {where}",
    asr: "Speech recognition", diarization: "Telling speakers apart", spoof: "Voice check", speaker: "Recognising a voice",
    translation: "Translation", speech: "Speech synthesis", lipsync: "Lip movement", chat: "Replies",
    word_error_rate: "{p} word errors", diarization_error_rate: "{p} diarization errors",
    equal_error_rate: "{p} equal error rate", unintelligible_words: "{p} of the words not understood",
    mouth_sound_correlation: "mouth follows the sound (correlation {n})",
    read_speech: "on read {language}", telephone: "on a telephone call", far_field_meeting: "in meetings, far from the microphone",
    mixed_speakers: "on mixes of speakers", known_synthesisers: "for synthesisers that it knows",
    unknown_synthesisers: "for synthesisers that it does not know",
    known_synthesisers_mp3: "for synthesisers that it knows, through MP3",
    unknown_synthesisers_mp3: "for synthesisers that it does not know, through MP3",
    known_synthesisers_telephone: "for synthesisers that it knows, through a telephone",
    unknown_synthesisers_telephone: "for synthesisers that it does not know, through a telephone",
    windows_of_1_5_s: "on 1.5 s of speech", heard_by_whisper_base: "by Whisper base, {language}",
    heard_by_pocketsphinx: "by PocketSphinx, {language}", bundled_portrait: "on the built-in face",
    languages: {one: "{n} language", other: "{n} languages"}, licence: "licence: {name}", cpu: "on the CPU", cuda: "on a GPU",
    server: "on a server", better: "Better: {title}", better_needs: "Better: {title} ({need})",
    gpu: "needs a GPU", weights: "needs weights to be fetched", training: "needs training",
    setting: "As a setting:", command: "For a system on one machine:",
  },
  ru: {
    unknown: "Не удалось узнать, какой движок отвечает.", overview: "Движки, их качество и что было бы лучше",
    notice: "Внимание", not_measured: "здесь не измерялось", no_model: "не языковая модель", measured: "{what} — {where}",
    asr: "Распознавание речи", diarization: "Различение говорящих", spoof: "Проверка голоса", speaker: "Узнавание голоса",
    translation: "Перевод", speech: "Синтез речи", lipsync: "Движение губ", chat: "Ответы",
    word_error_rate: "{p} слов с ошибкой", diarization_error_rate: "{p} ошибок разделения говорящих",
    equal_error_rate: "{p} ошибок (EER)", unintelligible_words: "{p} слов не понято",
    mouth_sound_correlation: "рот следует за звуком (корреляция {n})",
    read_speech: "чтение вслух, {language}", telephone: "телефонный разговор", far_field_meeting: "совещания, микрофон далеко",
    mixed_speakers: "смеси голосов", known_synthesisers: "знакомые синтезаторы",
    unknown_synthesisers: "незнакомые синтезаторы", known_synthesisers_mp3: "знакомые синтезаторы, через MP3",
    unknown_synthesisers_mp3: "незнакомые синтезаторы, через MP3",
    known_synthesisers_telephone: "знакомые синтезаторы, по телефону",
    unknown_synthesisers_telephone: "незнакомые синтезаторы, по телефону",
    windows_of_1_5_s: "1,5 с речи", heard_by_whisper_base: "слушает Whisper base, {language}",
    heard_by_pocketsphinx: "слушает PocketSphinx, {language}", bundled_portrait: "встроенное лицо",
    languages: {one: "{n} язык", few: "{n} языка", many: "{n} языков", other: "{n} языка"}, licence: "лицензия: {name}",
    cpu: "на процессоре", cuda: "на видеокарте", server: "на сервере", better: "Лучше: {title}",
    better_needs: "Лучше: {title} ({need})", gpu: "нужна видеокарта", weights: "нужно скачать веса",
    training: "нужно обучение", setting: "Настройкой:", command: "Для системы на одной машине:",
  },
});

/**
 * Russian for the service's notices on engines that always have one, by role and engine.
 * @type {Record<string, string>}
 */
const RUSSIAN_NOTICES = {
  "asr/pocketsphinx": "Речь распознаёт PocketSphinx, движок на крайний случай: в чётко прочитанном английском тексте он " +
    "ошибается примерно в 2 словах из 10, в другой речи — примерно в 6 из 10, и других языков не знает.",
  "chat/offline": "Отвечает автономный ответчик: это не языковая модель, он сообщает время и дату и повторяет остальное.",
};

const RUSSIAN_STAND_IN = "Этот движок замещает настроенный, который не удалось получить.";

/**
 * Russian for proper names that are words.
 * @type {Record<string, string>}
 */
const RUSSIAN_TITLES = {
  "Offline responder": "Автономный ответчик", "Mouth warp": "Деформация рта", "Chat server": "Сервер чата",
  "Ollama or any OpenAI-compatible server": "Ollama или любой сервер с протоколом OpenAI",
  "Silero VAD + VoiceGraph speaker encoder": "Silero VAD + кодировщик голоса VoiceGraph",
  "Silero VAD + spectral statistics": "Silero VAD + статистика спектра", "Spectral statistics": "Статистика спектра",
  "Silero VAD + speaker encoder": "Silero VAD + кодировщик голоса", "VoiceGraph speaker encoder": "Кодировщик голоса VoiceGraph",
  "Audio classifier": "Классификатор звука", "Piper voices": "голоса Piper",
};

const FRESH_MS = 60_000;
/** @type {{key: string|null, at: number, answer: Promise<Engines>}|null} */
let known = null;

/** Ask which engines answer; the answer is kept for a minute. */
function ask() {
  if (!known || known.key !== key() || Date.now() - known.at > FRESH_MS) {
    const asked = {key: key(), at: Date.now(), answer: askJson("v1/engines")};
    asked.answer.catch(() => { if (known === asked) known = null; });
    known = asked;
  }
  return known.answer;
}

/**
 * Make the line; its height is the same before and after the answer.
 * @param {readonly RoleName[]} roles the one that matters most first
 * @param {AbortSignal} signal
 */
export function engineLine(roles, signal) {
  const place = h("div", {class: "engines"});
  load();
  return place;

  async function load() {
    let told;
    try {
      told = (await ask()).engines;
    } catch {
      if (!signal.aborted) fill(place, h("p", {class: "hint engines-line"}, t("unknown")));
      return;
    }
    if (signal.aborted) return;
    const found = roles.map((role) => told.find((engine) => engine.role === role)).filter((engine) => engine !== undefined);
    if (!found.length) {
      fill(place, h("p", {class: "hint engines-line"}, t("unknown")));
      return;
    }
    const noted = found.some((engine) => [engine, ...engine.parts].some(({notice}) => notice));
    fill(place, h("details", {class: "engines-details"},
      h("summary", {class: "engines-line"},
        icon("down"), noted && h("span", {class: "badge unsure"}, icon("warning"), t("notice")), " ",
        h("span", {class: "engines-words"}, roles.length > MOST_ROLES ? t("overview") : headline(found[0]))),
      h("div", {class: "engines-all card"}, found.map(roleFacts))));
  }
}

/** A section with more roles than this has no engine that matters most. */
const MOST_ROLES = 4;

/** @param {RoleEngine} engine */
function headline(engine) {
  const every = [engine, ...engine.parts];
  const quality = every.flatMap((part) => part.quality);
  const best = quality.find(({language}) => language === locale()) ?? quality[0];
  const title = engine.parts.length ? engine.parts.map(titleOf).join(", ") : titleOf(engine);
  if (best) return `${title} · ${sentence(best)}${best.data ? ` (${best.data})` : ""}`;
  return `${title} · ${t(engine.engine === "offline" ? "no_model" : "not_measured")}`;
}

/** @param {{title: string}} named */
function titleOf({title}) {
  if (locale() !== "ru") return title;
  const [, name, rest] = /^(.*?)( \(.*\))?$/.exec(title) ?? [];
  return (RUSSIAN_TITLES[name] ?? name) + (rest ?? "");
}

/**
 * Return what was measured, and on what: "13.3 % word errors on read English".
 * @param {Measurement} measurement
 */
function sentence({measure, condition, value, highest, language}) {
  const p = highest === null ? percent(value, 1) : `${decimal(100 * value)}–${percent(highest, 1)}`;
  const what = say(measure, {p, n: decimal(value)});
  return t("measured", {what, where: say(condition, {language: language && languageName(language)})});
}

/**
 * Return a text by a name of the API; the name itself where this page is older than the service.
 * @param {string} name
 * @param {Record<string, string|null>} values
 */
function say(name, values) {
  try {
    return t(/** @type {any} */ (name), values);
  } catch {
    return name.replaceAll("_", " ");
  }
}

/** @param {RoleEngine} engine */
function roleFacts(engine) {
  const facts = [
    engine.languages !== null && t("languages", {n: engine.languages}),
    engine.licence && t("licence", {name: engine.licence}),
    engine.device === "cuda" ? t("cuda") : engine.device === "server" ? t("server") : t("cpu"),
  ].filter(Boolean).join(" · ");
  return h("section", {class: "engines-role", data: {role: engine.role}},
    h("h2", {}, `${t(engine.role)}: ${engine.parts.length ? engine.parts.map(titleOf).join(", ") : titleOf(engine)}`),
    noticeOf(engine.role, engine),
    engine.parts.length ? engine.parts.map((part) => [h("h3", {}, titleOf(part)), noticeOf(engine.role, part), measured(part)])
      : measured(engine),
    h("p", {class: "hint"}, facts), engine.better && better(engine.better));
}

/** @param {Engine} engine */
const measured = ({engine, quality}) => engine === "offline" ? null : quality.length
  ? h("ul", {class: "engines-measured"}, quality.map((measurement) => h("li", {}, sentence(measurement), " ",
    h("span", {class: "hint", lang: "en"}, `(${[measurement.data, measurement.sample].filter(Boolean).join(", ")})`))))
  : h("p", {class: "hint"}, t("not_measured"));

/**
 * @param {RoleName} role
 * @param {Engine} engine
 * @returns {Child}
 */
function noticeOf(role, {engine, notice, stands_in: standsIn}) {
  if (!notice) return null;
  const english = h("span", {lang: "en"}, notice);
  const russian = locale() !== "ru" ? null
    : standsIn ? [RUSSIAN_STAND_IN, " ", english] : RUSSIAN_NOTICES[`${role}/${engine}`];
  return h("p", {class: "engines-notice"}, icon("warning"), h("span", {}, russian ?? english));
}

/**
 * Make the notices of a result, which the engines of today may no longer have.
 * @param {{engines?: Record<string, {engine: string}>, notices?: string[]}} result those of earlier releases have neither
 */
export function resultNotices({engines = {}, notices = []}) {
  const russian = locale() !== "ru" ? []
    : Object.entries(engines).map(([role, {engine}]) => RUSSIAN_NOTICES[`${role}/${engine}`]).filter(Boolean);
  const said = russian.length && russian.length === notices.length ? russian
    : notices.map((notice) => h("span", {lang: "en"}, notice));
  return said.map((words) => h("p", {class: "engines-notice"}, icon("warning"), h("span", {}, words)));
}

/** @param {NonNullable<Engine["better"]>} better */
function better({title, needs, setting, command}) {
  const need = needs && needs !== "server" ? say(needs, {}) : null;
  const name = titleOf({title});
  const line = (/** @type {string} */ text) => h("pre", {class: "engines-setting", tabindex: "0"}, text);
  return h("div", {class: "engines-better"},
    h("p", {}, need ? t("better_needs", {title: name, need}) : t("better", {title: name})),
    command && [h("p", {class: "hint"}, t("command")), line(command)],
    h("p", {class: "hint"}, t("setting")), line(setting));
}
