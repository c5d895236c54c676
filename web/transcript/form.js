/**
 * The form of a transcription: a recording, its language, the number of speakers, and the options.
 * @import {Limits, Submission} from "../lib/types.js"
 */

import {askJson} from "../lib/api.js";
import {fill, focusFirst, h, icon} from "../lib/dom.js";
import {languageTitle, locale, translations} from "../lib/i18n.js";
import {soundInput} from "../lib/sound-input.js";
import {failureBeside} from "../lib/try-again.js";

const t = translations({
  en: {
    lead: "Who said what, and when: a recording as text with times and speakers.", recording: "Recording",
    start: "Transcribe", first: "Choose or record something first.", language: "Language spoken", speakers: "Speakers",
    automatic: "Automatic", spoof: "Judge the voices, too: is each of them real?",
    only: "The recogniser of this server knows one language: {language}.",
    truncated: "Use what can be read if the file is damaged or cut off",
  },
  ru: {
    lead: "Кто, что и когда сказал: запись в виде текста со временем и именами.", recording: "Запись",
    start: "Расшифровать", first: "Сначала выберите или запишите что-нибудь.", language: "Язык записи",
    speakers: "Число говорящих", automatic: "Автоматически", spoof: "Проверить и голоса: подлинный ли каждый?",
    only: "Распознаватель этого сервера знает один язык: {language}.",
    truncated: "Если файл повреждён или обрезан, взять то, что читается",
  },
});

const MOST_SPEAKERS = 20;
/**
 * Return the name of a language; Whisper's code of Javanese, "jw", is not in ISO 639-1.
 * @param {string} code
 */
const nameOf = (code) => languageTitle(code === "jw" ? "jv" : code);

/**
 * Make the list of the languages that this server's recogniser knows; "" leaves it to the recogniser.
 * @param {AbortSignal} signal
 */
function languageChoice(signal) {
  const select = h("select", {}, h("option", {value: ""}, t("automatic")));
  const notice = h("div");
  const element = h("div", {}, h("label", {class: "field"}, h("span", {}, t("language")), select), notice);
  load();
  return {element, select};

  async function load() {
    fill(notice);
    try {
      const {languages} = (await askJson("v1/languages", {signal})).recognition;
      select.append(...languages.map((code) => ({code, name: nameOf(code)}))
        .sort((one, other) => one.name.localeCompare(other.name, locale()))
        .map(({code, name}) => h("option", {value: code}, name)));
      if (languages.length === 1) fill(notice, h("p", {class: "hint"}, t("only", {language: nameOf(languages[0])})));
    } catch (error) {
      fill(notice, failureBeside(error, load));
    }
  }
}

/**
 * Make the form.
 * @param {object} options
 * @param {Limits} options.limits
 * @param {AbortSignal} options.signal
 * @param {HTMLElement} options.problem
 * @param {(sentence: string|null) => void} options.complain
 * @param {(asked: Submission) => void} options.onStart it is complete
 */
export function startForm({limits, signal, problem, complain, onStart}) {
  const input = soundInput({limits, signal, onProblem: complain, onFile: () => {}});
  const language = languageChoice(signal);
  const speakers = h("select", {}, h("option", {value: ""}, t("automatic")),
    Array.from({length: MOST_SPEAKERS}, (_, i) => h("option", {value: i + 1}, i + 1)));
  const spoof = h("input", {type: "checkbox"});
  const truncated = h("input", {type: "checkbox"});
  return h("form", {class: "card", "aria-label": t("recording"), on: {submit: (event) => {
    event.preventDefault();
    complain(input.file ? "" : t("first"));
    if (!input.file) {
      focusFirst(input, "button");
      return;
    }
    input.querySelector("audio")?.pause();
    onStart({path: "v1/jobs/transcription", file: input.file, fields: {
      language: language.select.value, num_speakers: speakers.value,
      spoof: spoof.checked || null, allow_truncated: truncated.checked || null,
    }});
  }}},
    h("p", {}, t("lead")), input,
    h("div", {class: "columns"},
      language.element,
      h("label", {class: "field"}, h("span", {}, t("speakers")), speakers)),
    h("div", {class: "transcript-options"},
      h("label", {class: "choice"}, spoof, h("span", {}, t("spoof"))),
      h("label", {class: "choice"}, truncated, h("span", {}, t("truncated")))),
    problem, h("div", {class: "row"}, h("button", {type: "submit"}, icon("transcript"), t("start"))));
}
