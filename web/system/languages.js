/**
 * Languages of this installation's engines, by role, and where more come from.
 * @import {Child, IconName, Languages} from "../lib/types.js"
 */

import {askJson} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {languageName, translations} from "../lib/i18n.js";
import {failure} from "../lib/try-again.js";

const t = translations({
  en: {
    title: "Languages", loading: "Loading…",
    pairs: {one: "Translated: {n} pair", other: "Translated: {n} pairs"},
    all_pairs: "Translated: {n} languages, each into every other",
    heard: {one: "Recognised: {n} language", other: "Recognised: {n} languages"},
    no_pairs: "Nothing can be translated: the engine has no language pair.",
    no_pairs_do: "On the server: install a pair, for instance apt-get install apertium-eng-spa, or name another " +
      "engine (docs/translation.md); then restart.",
    spoken: {one: "Spoken: {n} language or dialect", other: "Spoken: {n} languages and dialects"},
    no_speech: "Nothing can be spoken: the engine has no voice.",
    clones: "Voices can be registered in: {names}",
    no_clones: "Own voices can't be used: the speech engine can't imitate one (docs/speech.md names those that can).",
  },
  ru: {
    title: "Языки", loading: "Загрузка…",
    pairs: {
      one: "Переводится: {n} пара", few: "Переводится: {n} пары", many: "Переводится: {n} пар",
      other: "Переводится: {n} пары",
    },
    all_pairs: {
      one: "Переводится: {n} язык, каждый на любой другой", few: "Переводятся: {n} языка, каждый на любой другой",
      many: "Переводятся: {n} языков, каждый на любой другой", other: "Переводится: {n} языка, каждый на любой другой",
    },
    heard: {
      one: "Распознаётся: {n} язык", few: "Распознаются: {n} языка", many: "Распознаются: {n} языков",
      other: "Распознаётся: {n} языка",
    },
    no_pairs: "Переводить нельзя: у движка нет ни одной пары языков.",
    no_pairs_do: "На сервере: установите пару, например apt-get install apertium-eng-spa, или укажите другой " +
      "движок (docs/translation.md), затем перезапустите.",
    spoken: {
      one: "Озвучивается: {n} язык или диалект", few: "Озвучивается: {n} языка и диалекта",
      many: "Озвучивается: {n} языков и диалектов", other: "Озвучивается: {n} языка и диалекта",
    },
    no_speech: "Озвучивать нельзя: у движка нет голоса.", clones: "Свои голоса можно добавить для: {names}",
    no_clones: "Свои голоса использовать нельзя: движок речи не умеет подражать (docs/speech.md называет те, что " +
      "умеют).",
  },
});

const MOST_NAMED = 12;

/**
 * Make the card.
 * @param {{signal: AbortSignal}} options
 */
export function systemLanguages({signal}) {
  const body = h("div", {class: "stack"}, h("p", {class: "hint"}, t("loading")));
  load();
  return h("section", {class: "card"}, h("h2", {}, t("title")), body);

  async function load() {
    try {
      const {recognition, translation, speech} = await askJson("v1/languages", {signal});
      fill(body, h("ul", {class: "system-abilities"},
        heardOf(recognition.languages), pairsOf(translation), spokenOf(speech.languages), clonesOf(speech.cloning)));
    } catch (error) {
      fill(body, failure(error, load));
    }
  }
}

const line = (/** @type {string} */ look, /** @type {IconName} */ symbol) =>
  (/** @type {string} */ words, /** @type {Child[]} */ ...more) =>
  h("li", {class: look}, icon(symbol), h("div", {}, h("p", {}, words), more));
const can = line("system-can", "check");
const cannot = line("system-cannot", "warning");
const hint = (/** @type {string} */ words) => h("p", {class: "hint"}, words);

const nameOf = (/** @type {string} */ code) => languageName(code.replaceAll("_", "-"));
const first = (/** @type {string[]} */ names) =>
  names.slice(0, MOST_NAMED).join(", ") + (names.length > MOST_NAMED ? " …" : "");
const named = (/** @type {string[]} */ languages) => hint(first(languages.map(nameOf)));

const heardOf = (/** @type {string[]} */ languages) => can(t("heard", {n: languages.length}), named(languages));

/** @param {Languages["translation"]} translation */
function pairsOf({languages, pairs}) {
  if (!pairs) return can(t("all_pairs", {n: languages.length}), named(languages));
  const all = Object.entries(pairs).flatMap(([source, targets]) => targets.map((target) => [source, target]));
  if (!all.length) return cannot(t("no_pairs"), hint(t("no_pairs_do")));
  return can(t("pairs", {n: all.length}), hint(first(all.map((pair) => pair.map(nameOf).join(" → ")))));
}

const spokenOf = (/** @type {string[]} */ languages) =>
  languages.length ? can(t("spoken", {n: languages.length})) : cannot(t("no_speech"));
const clonesOf = (/** @type {string[]} */ languages) => languages.length
  ? can(t("clones", {names: first(languages.map(nameOf))})) : cannot(t("no_clones"));
