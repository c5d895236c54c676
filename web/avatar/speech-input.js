/**
 * What the face shall say: a text with its language, voice and speed, or a recording.
 * @import {JobParams, Limits} from "../lib/types.js"
 * @typedef {{file?: File, text?: string, language?: string, voice?: string, speed?: number}} Wish a file, or a text and
 *   the rest
 */

import {askJson} from "../lib/api.js";
import {extend, fill, h, uniqueId} from "../lib/dom.js";
import {decimal, languageTitle, locale, translations} from "../lib/i18n.js";
import {soundInput} from "../lib/sound-input.js";
import {tabs} from "../lib/tabs.js";
import {failure} from "../lib/try-again.js";
import {sampleButton, voicesOf, voiceTitle} from "../lib/voices.js";

const t = translations({
  en: {
    words: "Words", how: "Type or speak", type: "Type", record: "Speak", text: "Text",
    shortcut: "Ctrl + Enter makes the film", count: "{n} of {limit}",
    language: "Language", often: "Often used", all: "All languages", voice: "Voice", own: "{name} (yours)",
    default_voice: "The language's usual voice", speed: "Speed", times: "{speed} ×",
    loading: "Loading…", no_text: "Write what shall be said.",
    too_long: {one: "The text is {n} character too long.", other: "The text is {n} characters too long."},
    no_file: "Record something or choose a file first.",
    heard: "The recording itself is heard in the film; it may have up to {length}.",
  },
  ru: {
    words: "Слова", how: "Написать или сказать", type: "Написать", record: "Сказать", text: "Текст",
    shortcut: "Ctrl + Enter — создать видео", count: "{n} из {limit}",
    language: "Язык", often: "Частые", all: "Все языки", voice: "Голос", own: "{name} (ваш)",
    default_voice: "Обычный голос языка", speed: "Скорость", times: "{speed} ×",
    loading: "Загрузка…", no_text: "Напишите, что нужно сказать.",
    too_long: {
      one: "Текст длиннее на {n} знак.", few: "Текст длиннее на {n} знака.", many: "Текст длиннее на {n} знаков.",
      other: "Текст длиннее на {n} знака.",
    },
    no_file: "Сначала запишите что-нибудь или выберите файл.",
    heard: "В видео будет слышна сама запись; она может длиться до {length}.",
  },
});

const OFTEN = ["en", "ru", "kk"];

/**
 * Make the choice of words.
 * @param {object} options
 * @param {Limits} options.limits
 * @param {AbortSignal} options.signal
 * @param {() => void} options.onSubmit Ctrl + Enter
 * @param {(sentence: string|null) => void} options.onProblem
 */
export function speechInput({limits, signal, onSubmit, onProblem}) {
  const typing = typedWords({limits, signal, onSubmit});
  const max_seconds = Math.min(limits.recordings.max_seconds, limits.video.max_seconds);
  const recording = soundInput({
    limits: {...limits, recordings: {...limits.recordings, max_seconds}}, signal, onProblem, onFile: () => {},
  });
  let chosen = "type";
  const choice = tabs(t("how"), [
    {id: "type", title: t("type"), panel: typing},
    {id: "record", title: t("record"), panel: h("div", {}, recording,
      h("p", {class: "hint"}, t("heard", {length: minutes(max_seconds)})))},
  ], (id) => {
    chosen = id;
    onProblem("");
  });
  return extend(h("section", {class: "card"}, h("h2", {}, t("words")), choice), {
    /**
     * Return what was chosen; null where something is missing, after a word on that.
     * @returns {Wish|null}
     */
    asked() {
      if (chosen === "record") {
        if (!recording.file) onProblem(t("no_file"));
        return recording.file ? {file: recording.file} : null;
      }
      const wrong = typing.wrong();
      if (!wrong) return typing.asked();
      onProblem(wrong);
      typing.text.focus();
      return null;
    },
    /** @param {JobParams} params of a job */
    fillIn(params) {
      if (params.text) typing.fillIn(params);
    },
  });
}

const minutes = (/** @type {number} */ seconds) => (seconds / 60).toLocaleString(locale(), {
  style: "unit", unit: "minute", unitDisplay: "long", maximumFractionDigits: 1,
});

/** @param {{limits: Limits, signal: AbortSignal, onSubmit: () => void}} options */
function typedWords({limits, signal, onSubmit}) {
  const limit = limits.texts.max_speech_chars;
  const count = h("span", {class: "numbers"});
  const text = h("textarea", {rows: "6", on: {input: () => measure(), keydown: (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    onSubmit();
  }}});
  const below = h("div", {class: "below", id: uniqueId("below")}, h("span", {class: "avatar-keys"}, t("shortcut")), count);
  text.setAttribute("aria-describedby", below.id);
  const language = h("select", {on: {change: () => loadVoices()}});
  const voice = h("select", {});
  const sample = sampleButton(voice, signal);
  const said = h("span", {class: "numbers"});
  const speed = h("input", {type: "range", min: "0.5", max: "2", step: "0.1", value: "1", on: {
    input: () => sayTempo(),
  }});
  const fault = h("div", {hidden: true});
  const element = h("div", {},
    h("div", {class: "field"}, h("label", {class: "field"}, h("span", {}, t("text")), text), below),
    h("div", {class: "columns avatar-how"},
      h("label", {class: "field"}, h("span", {}, t("language")), language),
      h("div", {class: "voice-field"}, h("label", {class: "field"}, h("span", {}, t("voice")), voice), sample),
      h("label", {class: "field"}, h("span", {class: "row spread"}, t("speed"), said), speed)), fault);
  /** @type {{language: string, voice: string}} */
  let wanted = {language: locale(), voice: ""};
  /** @type {AbortController|null} */
  let asking = null;

  // Characters as the service counts them.
  const length = () => [...text.value].length;

  function measure() {
    fill(count, t("count", {n: length(), limit}));
    count.classList.toggle("avatar-over", length() > limit);
    text.lang = language.value;
  }

  function sayTempo() {
    const times = t("times", {speed: decimal(Number(speed.value))});
    fill(said, times);
    speed.setAttribute("aria-valuetext", times);
  }

  async function loadLanguages() {
    fault.hidden = true;
    for (const select of [language, voice]) {
      select.disabled = true;
      fill(select, h("option", {value: ""}, t("loading")));
    }
    try {
      const {speech} = await askJson("v1/languages", {signal});
      offer(speech.languages);
      language.disabled = false;
      await loadVoices();
    } catch (error) {
      tell(error, loadLanguages);
    }
  }

  /** @param {string[]} codes */
  function offer(codes) {
    const option = (/** @type {string} */ code) => h("option", {value: code}, languageTitle(code));
    const mine = [locale(), ...navigator.languages.map((tag) => tag.split("-")[0]), ...OFTEN];
    const often = [...new Set(mine)].filter((code) => codes.includes(code));
    const rest = codes.filter((code) => !often.includes(code))
      .sort((a, b) => languageTitle(a).localeCompare(languageTitle(b), locale()));
    fill(language,
      often.length ? h("optgroup", {label: t("often")}, often.map(option)) : null,
      rest.length ? h("optgroup", {label: t("all")}, rest.map(option)) : null);
    language.value = codes.includes(wanted.language) ? wanted.language : often[0] ?? rest[0];
    measure();
  }

  async function loadVoices() {
    asking?.abort();
    const mine = asking = new AbortController();
    signal.addEventListener("abort", () => mine.abort(), {once: true, signal: mine.signal});
    fault.hidden = true;
    text.lang = language.value;
    voice.disabled = true;
    fill(voice, h("option", {value: ""}, t("loading")));
    sample.offer([]);
    try {
      const {voices, own} = await voicesOf(language.value, mine.signal);
      fill(voice, h("option", {value: ""}, t("default_voice")),
        voices.map((one) => h("option", {value: one.id}, voiceTitle(one))),
        own.map((one) => h("option", {value: one.id}, t("own", {name: one.name}))));
      voice.disabled = false;
      voice.value = wanted.voice;
      if (voice.selectedIndex < 0) voice.value = "";
      sample.offer(voices);
    } catch (error) {
      tell(error, loadVoices);
    }
  }

  /**
   * @param {unknown} error
   * @param {() => void} retry
   */
  function tell(error, retry) {
    const told = failure(error, retry);
    if (!told) return;
    fault.hidden = false;
    fill(fault, told);
  }

  measure();
  sayTempo();
  loadLanguages();
  return extend(element, {
    text,
    wrong() {
      if (!text.value.trim()) return t("no_text");
      return length() > limit ? t("too_long", {n: length() - limit}) : "";
    },
    asked: () => ({
      text: text.value, language: language.value || wanted.language, ...(voice.value && {voice: voice.value}),
      speed: Number(speed.value),
    }),
    /** @param {JobParams} params */
    fillIn(params) {
      text.value = params.text ?? "";
      speed.value = String(params.speed ?? 1);
      wanted = {language: params.language ?? wanted.language, voice: params.voice ?? ""};
      measure();
      sayTempo();
      if (language.disabled) return;
      language.value = wanted.language;
      loadVoices();
    },
  });
}
