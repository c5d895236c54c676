/** The settings of a conversation: the language, the voice, and whether replies are spoken. */

import {askJson} from "../lib/api.js";
import {fill, h} from "../lib/dom.js";
import {languageTitle, locale} from "../lib/i18n.js";
import {failureBeside} from "../lib/try-again.js";
import {sampleButton, voicesOf, voiceTitle} from "../lib/voices.js";
import {t} from "./words.js";

const STORED = "voicegraph-assistant";
const CODE = /^[a-z]{2,3}$/;

const base = (/** @type {string} */ code) => code.split("-")[0].toLowerCase();
const distinct = (/** @type {string[]} */ codes) => [...new Set(codes)];

/**
 * Make the choices; `start()` returns them as fields of the live protocol's start.
 * @param {{onChange: () => void, signal: AbortSignal}} options
 */
export function assistantSettings({onChange, signal}) {
  /** @type {{language: string, voice: string, speak: boolean}} */
  const chosen = {language: locale(), voice: "", speak: true, ...stored()};
  const language = h("select", {on: {change: () => {
    chosen.language = language.value;
    chosen.voice = "";
    changed();
    loadVoices();
  }}});
  const voice = h("select", {on: {change: () => {
    chosen.voice = voice.value;
    changed();
  }}});
  const sample = sampleButton(voice, signal);
  const speak = h("input", {type: "checkbox", checked: chosen.speak, on: {change: () => {
    chosen.speak = speak.checked;
    changed();
  }}});
  const notice = h("div", {class: "row assistant-notice"});
  const fields = h("div", {class: "stack"}, h("div", {class: "assistant-settings"},
    h("label", {class: "field"}, h("span", {}, t("language")), language),
    h("div", {class: "voice-field"}, h("label", {class: "field"}, h("span", {}, t("voice")), voice), sample)), notice);
  let asked = "";

  function changed() {
    localStorage.setItem(STORED, JSON.stringify(chosen));
    onChange();
  }

  const group = (/** @type {"common"|"others"} */ name, /** @type {string[]} */ codes) => h("optgroup", {label: t(name)},
    codes.map((code) => h("option", {value: code}, languageTitle(code))));

  /** @param {string[]} codes */
  function offerLanguages(codes) {
    const common = distinct([chosen.language, locale(), "en", ...navigator.languages.map(base)])
      .filter((code) => codes.includes(code) || code === chosen.language);
    const others = codes.filter((code) => !common.includes(code))
      .sort((one, other) => languageTitle(one).localeCompare(languageTitle(other), locale()));
    fill(language, group("common", common), others.length ? group("others", others) : null);
    language.value = chosen.language;
  }

  async function loadLanguages() {
    offerLanguages([]);
    await attempt(loadLanguages, async () => {
      const {speech} = await askJson("v1/languages", {signal});
      offerLanguages(distinct(speech.languages.map(base)).filter((code) => CODE.test(code)));
    });
  }

  async function loadVoices() {
    const wanted = asked = chosen.language;
    fill(voice, h("option", {value: chosen.voice}, t("loading_short")));
    sample.offer([]);
    await attempt(loadVoices, async () => {
      const {voices, own} = await voicesOf(wanted, signal);
      if (asked !== wanted) return;
      fill(voice, h("option", {value: ""}, t("usual_voice")),
        voices.map((one) => h("option", {value: one.id}, voiceTitle(one))),
        own.map(({id, name}) => h("option", {value: id}, t("own_voice", {name}))));
      voice.value = chosen.voice;
      if (voice.selectedIndex < 0) {
        voice.value = chosen.voice = "";
        changed();
      }
      sample.offer(voices);
    });
  }

  /**
   * Load; where that fails, say so beside the lists, with a button to try again.
   * @param {() => void} again
   * @param {() => Promise<void>} load
   */
  async function attempt(again, load) {
    try {
      await load();
    } catch (error) {
      const told = failureBeside(error, () => {
        told?.remove();
        again();
      });
      if (told) notice.append(told);
    }
  }

  loadLanguages();
  loadVoices();
  return {
    fields,
    speakField: h("label", {class: "choice"}, speak, h("span", {}, t("speak"))),
    start: () => ({language: chosen.language, speak: chosen.speak, ...(chosen.voice ? {voice: chosen.voice} : {})}),
  };
}

/** Return what was chosen last. */
function stored() {
  try {
    const {language, voice, speak} = JSON.parse(localStorage.getItem(STORED) ?? "null") ?? {};
    return {...(CODE.test(language) ? {language} : {}), ...(voice ? {voice} : {}), ...(speak === false ? {speak} : {})};
  } catch {
    return {};
  }
}
