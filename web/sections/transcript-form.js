/** What is asked: a recording, its language, how many speak, and whether the voices are judged too. */

import {h, icon} from "../lib/dom.js";
import {languageName, locale, speaker} from "../lib/i18n.js";
import {soundInput} from "../lib/sound-input.js";

const t = speaker({
  en: {
    lead: "Who said what, and when: a recording as text with times and speakers.", recording: "Recording",
    start: "Transcribe", first: "Choose or record something first.", language: "Language spoken", speakers: "Speakers",
    automatic: "Automatic", spoof: "Judge the voices, too: is each of them real?",
    truncated: "Use what can be read if the file is damaged or cut off",
  },
  ru: {
    lead: "Кто, что и когда сказал: запись в виде текста со временем и именами.", recording: "Запись",
    start: "Расшифровать", first: "Сначала выберите или запишите что-нибудь.", language: "Язык записи",
    speakers: "Число говорящих", automatic: "Автоматически", spoof: "Проверить и голоса: подлинный ли каждый?",
    truncated: "Если файл повреждён или обрезан, взять то, что читается",
  },
});

const MOST_SPEAKERS = 20;
/** What Whisper knows; an engine that knows fewer says so. */
const LANGUAGES = (
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is " +
  "it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl " +
  "sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh"
).split(" ");

const languages = () => LANGUAGES
  .map((code) => [code, languageName(code === "jw" ? "jv" : code)])
  .sort(([, a], [, b]) => a.localeCompare(b, locale()));

/** Make the form. `onStart({path, fields, file})`: it is complete. */
export function startForm({limits, signal, problem, complain, onStart}) {
  const input = soundInput({limits, signal, onProblem: complain, onFile: () => {}});
  const language = h("select", {}, h("option", {value: ""}, t("automatic")),
    languages().map(([code, name]) => h("option", {value: code}, name)));
  const speakers = h("select", {}, h("option", {value: ""}, t("automatic")),
    Array.from({length: MOST_SPEAKERS}, (_, i) => h("option", {value: i + 1}, i + 1)));
  const spoof = h("input", {type: "checkbox"});
  const truncated = h("input", {type: "checkbox"});
  return h("form", {class: "card", "aria-label": t("recording"), on: {submit: (event) => {
    event.preventDefault();
    complain(input.file ? "" : t("first"));
    if (!input.file) {
      input.querySelector("button").focus();
      return;
    }
    input.querySelector("audio")?.pause();
    onStart({path: "v1/jobs/transcription", file: input.file, fields: {
      language: language.value, num_speakers: speakers.value,
      spoof: spoof.checked || null, allow_truncated: truncated.checked || null,
    }});
  }}},
    h("p", {}, t("lead")), input,
    h("div", {class: "columns"},
      h("label", {class: "field"}, h("span", {}, t("language")), language),
      h("label", {class: "field"}, h("span", {}, t("speakers")), speakers)),
    h("div", {class: "transcript-options"},
      h("label", {class: "choice"}, spoof, h("span", {}, t("spoof"))),
      h("label", {class: "choice"}, truncated, h("span", {}, t("truncated")))),
    problem, h("div", {class: "row"}, h("button", {type: "submit"}, icon("transcript"), t("start"))));
}
