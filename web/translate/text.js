/**
 * A text and its translation, side by side.
 * @import {Child, Limits, TextTranslation, TranslatedSentence} from "../lib/types.js"
 * @import {LanguageList, Pair} from "./languages.js"
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, h, icon, uniqueId} from "../lib/dom.js";
import {languageTitle, percent, translations} from "../lib/i18n.js";
import {langOf, languagePair} from "./languages.js";
import {listenButton} from "./listen.js";

const t = translations({
  en: {
    text: "Text", text_in: "Text in {language}", translation: "Translation",
    translation_in: "Translation into {language}", translate: "Translate", translating: "Translating…",
    hotkey: "Ctrl + Enter", clear: "Clear", done: "Translated.",
    here: "The translation appears here, laid out like the text.", empty: "Write or paste a text first.",
    too_long: "This text has {n} characters; the limit is {limit}. Shorten it, or translate it in parts.",
    stale: "The text or the languages have changed since. Translate again.", characters: "{n} of {limit} characters",
    sure: "The model is sure of this translation.",
    fairly: "The model is fairly sure of this translation. Read it through.",
    unsure: "The model is guessing. Check this translation before you use it.",
    numbers: "On average it gives its choice of words {average}; where it doubts most, {least}.",
    look: "Check these sentences", marked: "Marked: this may be no good translation.", nothing: "(nothing)",
    reason_empty: "Nothing came back.", reason_short: "It is much shorter than the original.",
    reason_letters: "It has hardly any letters.", reason_script: "It is not in the script of that language.",
    reason_repeated: "A word was repeated again and again; it is kept once.",
    reason_cut: "It grew too long; its end is missing.", reason_doubt: "The model doubts it.",
    copy: "Copy the translation", listen_text: "Listen to the text", listen_translation: "Listen to the translation",
  },
  ru: {
    text: "Текст", text_in: "Текст: {language}", translation: "Перевод", translation_in: "Перевод: {language}",
    translate: "Перевести", translating: "Перевожу…", hotkey: "Ctrl + Enter", clear: "Очистить", done: "Переведено.",
    here: "Здесь появится перевод; строки и отступы останутся как в тексте.",
    empty: "Сначала напишите или вставьте текст.",
    too_long: "Символов в тексте: {n}, а можно не больше {limit}. Сократите его или переводите по частям.",
    stale: "Текст или языки с тех пор изменились. Переведите ещё раз.", characters: "Символов: {n} из {limit}",
    sure: "Модель уверена в этом переводе.",
    fairly: "Модель довольно уверена в этом переводе. Прочитайте его внимательно.",
    unsure: "Модель угадывает. Проверьте перевод, прежде чем им пользоваться.",
    numbers: "В среднем она оценивает свой выбор слов в {average}; там, где сомневается больше всего, — в {least}.",
    look: "Проверьте эти предложения", marked: "Отмечено: возможно, перевод неудачный.", nothing: "(ничего)",
    reason_empty: "Перевод пустой.", reason_short: "Он намного короче оригинала.",
    reason_letters: "В нём почти нет букв.", reason_script: "Он написан не тем письмом.",
    reason_repeated: "Одно слово повторялось много раз; оставлено одно.",
    reason_cut: "Он вышел слишком длинным, конца не хватает.", reason_doubt: "Модель в нём сомневается.",
    copy: "Скопировать перевод", listen_text: "Прослушать текст", listen_translation: "Прослушать перевод",
  },
});

/** Mean probability of the model's words from which it counts as sure, and as fairly sure. */
const SURE = 0.7;
const FAIRLY_SURE = 0.45;

/** @type {Partial<Record<string, "empty"|"short"|"letters"|"script"|"repeated"|"cut">>} words by the service's reason */
const REASONS = {
  "empty": "empty", "too short": "short", "hardly any letters": "letters",
  "not in the target's script": "script", "repeated words": "repeated", "cut off": "cut",
};

/**
 * Make the panel.
 * @param {{list: LanguageList, limits: Limits, signal: AbortSignal}} options
 */
export function textPanel({list, limits, signal}) {
  const limit = limits.texts.max_translation_chars;
  const [inputId, titleId] = [uniqueId("text"), uniqueId("translation")];
  const title = h("label", {for: inputId}, t("text"));
  const outputTitle = h("h2", {id: titleId}, t("translation"));
  const count = h("span", {class: "numbers"});
  const input = h("textarea", {id: inputId, rows: "9", dir: "auto", on: {input: changed, keydown: hotkey}});
  const output = h("div", {
    class: "translate-output", dir: "auto", role: "region", tabindex: "0", "aria-labelledby": titleId,
  });
  const said = h("p", {class: "visually-hidden", role: "status"});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const stale = h("p", {class: "hint", hidden: true}, t("stale"));
  const judgement = h("div", {class: "stack", hidden: true});
  const button = h("button", {type: "submit"}, t("translate"));
  const clear = h("button", {type: "button", class: "quiet", hidden: true, on: {click: () => {
    input.value = "";
    changed();
    input.focus();
  }}}, t("clear"));
  const listenToText = listenButton({
    what: () => ({text: input.value, language: pair.pair?.source ?? ""}), label: t("listen_text"),
    limits, signal, onProblem: complain,
  });
  const listenToTranslation = listenButton({
    what: () => ({text: done?.text ?? "", language: done?.target ?? ""}), label: t("listen_translation"),
    limits, signal, onProblem: complain,
  });
  const copy = copyButton({text: () => done?.text ?? "", from: output, words: t("copy")});
  /** @type {TextTranslation|null} */
  let done = null;
  /** @type {{text: string, source: string, target: string}|null} */
  let asked = null;
  /** @type {AbortController|null} */
  let running = null;
  signal.addEventListener("abort", () => running?.abort(), {once: true});

  /** @type {ReturnType<typeof languagePair>} */
  const pair = languagePair({list, onChange: changedLanguages, onSwap: () => {
    if (!done) return;
    input.value = done.text;
    show(null);
    changed();
  }});
  const form = h("form", {class: "card", on: {submit: (event) => {
    event.preventDefault();
    translate();
  }}},
    pair,
    h("div", {class: "translate-panes"},
      h("div", {class: "translate-pane"}, h("div", {class: "row spread"}, title, count), input,
        h("div", {class: "row"},
          button, h("span", {class: "hint translate-hotkey"}, t("hotkey")), listenToText, clear)),
      h("div", {class: "translate-pane"}, outputTitle, output,
        h("div", {class: "row"}, listenToTranslation, copy), stale, said)),
    fault, judgement);
  button.disabled = true;
  show(null);
  changed();

  /** @param {string|null} sentence */
  function complain(sentence) {
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  /** @param {KeyboardEvent} event */
  function hotkey(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      translate();
    }
  }

  /** The text or the languages have changed. */
  function changed() {
    const length = [...input.value].length;
    fill(count, t("characters", {n: length, limit}));
    count.classList.toggle("translate-over", length > limit);
    clear.hidden = length === 0;
    const now = pair.pair;
    listenToText.disable(!input.value.trim() || !now?.languages.spoken(now.source));
    stale.hidden = !done ||
      (asked?.text === input.value && asked.source === now?.source && asked.target === now?.target);
  }

  /** @param {Pair|null} now */
  function changedLanguages(now) {
    fill(title, now ? t("text_in", {language: languageTitle(now.source)}) : t("text"));
    if (now) input.lang = langOf(now.source) ?? "";
    button.disabled = !now || running !== null;
    changed();
  }

  async function translate() {
    if (!pair.pair || running) return;
    const text = input.value;
    const length = [...text].length;
    complain(!text.trim() ? t("empty") : length > limit ? t("too_long", {n: length, limit}) : "");
    if (!fault.hidden) {
      input.focus();
      return;
    }
    const {source, target} = pair.pair;
    asked = {text, source, target};
    running = new AbortController();
    button.disabled = true;
    output.setAttribute("aria-busy", "true");
    fill(button, t("translating"));
    fill(said, t("translating"));
    try {
      show(await askJson("v1/translate", {method: "POST", json: asked, signal: running.signal}));
      fill(said, t("done"));
    } catch (error) {
      fill(said);
      complain(sentenceOf(error));
    } finally {
      running = null;
      button.disabled = !pair.pair;
      output.removeAttribute("aria-busy");
      fill(button, t("translate"));
      changed();
    }
  }

  /** @param {TextTranslation|null} translation */
  function show(translation) {
    done = translation;
    listenToTranslation.disable(!done?.text.trim() || !pair.pair?.languages.spoken(done.target));
    copy.disable(!done);
    judgement.hidden = true;
    fill(outputTitle, done ? t("translation_in", {language: languageTitle(done.target)}) : t("translation"));
    if (!done) {
      fill(output, h("span", {class: "hint"}, t("here")));
      return;
    }
    output.lang = langOf(done.target) ?? "";
    fill(output, marked(done));
    const judged = judge(done);
    judgement.hidden = judged.length === 0;
    fill(judgement, judged);
  }

  return h("div", {}, form);
}

/**
 * Say why a sentence ought to be checked; null where it need not be.
 * @param {TranslatedSentence} sentence
 */
function doubt({suspect, quality}) {
  const known = suspect && REASONS[suspect];
  if (suspect) return known ? t(`reason_${known}`) : suspect;
  return quality && quality.average_probability < FAIRLY_SURE ? t("reason_doubt") : null;
}

/**
 * Return the translation as it is laid out, its doubtful sentences marked.
 * @param {TextTranslation} translation
 */
function marked({text, sentences}) {
  /** @type {Child[]} */
  const parts = [];
  let at = 0;
  for (const sentence of sentences) {
    const found = sentence.text ? text.indexOf(sentence.text, at) : -1;
    if (found < 0) continue;
    parts.push(text.slice(at, found));
    at = found + sentence.text.length;
    const why = doubt(sentence);
    parts.push(why ? h("mark", {class: "translate-doubt", title: why}, icon("warning"), sentence.text) : sentence.text);
  }
  parts.push(text.slice(at));
  return parts;
}

/**
 * Say how sure the model is, and which sentences are to be checked.
 * @param {TextTranslation} translation
 */
function judge({quality, sentences}) {
  const shown = [];
  if (quality) {
    const average = quality.average_probability;
    const level = average >= SURE ? "sure" : average >= FAIRLY_SURE ? "fairly" : "unsure";
    const colour = {sure: "good", fairly: "unsure", unsure: "bad"}[level];
    shown.push(h("p", {class: "row"},
      h("span", {class: `badge ${colour}`}, icon(level === "sure" ? "check" : "warning"), t(level)),
      h("span", {class: "hint"}, t("numbers", {
        average: percent(average), least: percent(quality.minimum_probability),
      }))));
  }
  const doubtful = sentences.filter(doubt);
  if (doubtful.length) {
    shown.push(h("h3", {}, t("look")), h("ul", {class: "translate-doubts"}, doubtful.map((sentence) => h("li", {},
      h("span", {}, sentence.source), " → ", h("strong", {}, sentence.text || t("nothing")), " ",
      h("span", {class: "hint"}, doubt(sentence))))));
  }
  return shown;
}
