/** The languages: which pairs there are, and the two lists in which a person chooses them. */

import {askJson, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {languageTitle, locale, speaker} from "../lib/i18n.js";
import {failure, failureBeside} from "../lib/try-again.js";
import {voicesOf} from "../lib/voices.js";

const t = speaker({
  en: {
    from: "From", into: "Into", swap: "Swap the languages", detect: "Detect the language", loading: "Loading…",
    no_pairs: "No languages are installed for translation yet. Whoever runs this server can add some with",
    no_pairs_after: "or with a translation model, and start it anew.", voice: "Voice",
    unheard: "This server's recogniser knows none of the languages that are translated; texts can be.",
    default_voice: "The language's default voice", own_voice: "{name} (yours)",
    no_voices: "No voice speaks this language; choose text only.",
  },
  ru: {
    from: "С языка", into: "На язык", swap: "Поменять языки местами", detect: "Определить язык", loading: "Загрузка…",
    no_pairs: "Языки для перевода пока не установлены. Администратор сервера может добавить их командой",
    no_pairs_after: "или моделью перевода, и перезапустить сервер.", voice: "Голос",
    unheard: "Распознаватель этого сервера не знает ни одного из переводимых языков; перевести можно только текст.",
    default_voice: "Голос языка по умолчанию", own_voice: "{name} (ваш)",
    no_voices: "Этот язык никто не озвучивает; выберите «только текст».",
  },
});

const STORED = "voicegraph-translate-pair";

/** The `lang` of an element whose text is in this language. */
export const langOf = (code) => code?.replaceAll("_", "-") ?? null;

/**
 * Ask for the languages, once for the whole section.
 * @returns {{watch: (draw: (seen: object) => void) => void, load: () => Promise<void>}} `draw` is told
 *   {languages}, {fault}, or while they are on their way neither
 */
export function languageList(signal) {
  const watchers = [];
  const tell = (seen) => watchers.forEach((draw) => draw(seen));
  return {
    watch: (draw) => watchers.push(draw),
    async load() {
      tell({});
      try {
        tell({languages: await askJson("v1/languages", {signal})});
      } catch (error) {
        const fault = sentenceOf(error);
        if (fault) tell({fault});
      }
    },
  };
}

/** What there is to choose from: of texts, or where the source is spoken of languages that are recognised. */
function understand({recognition, translation, speech}, fromSpeech) {
  const {languages, pairs} = translation;
  const targetsOf = (source) => {
    if (fromSpeech && !recognition.languages.includes(source)) return [];
    return pairs ? pairs[source] ?? [] : languages.filter((code) => code !== source);
  };
  const sources = languages.filter((code) => targetsOf(code).length);
  const targets = languages.filter((code) => sources.some((source) => targetsOf(source).includes(code)));
  return {
    sources, targets, targetsOf, translates: languages.length > 0,
    has: (source, target) => targetsOf(source).includes(target),
    spoken: (code) => speech.languages.some((one) => one === code || one.startsWith(`${code}-`)),
  };
}

/**
 * Make the two lists and the button that swaps them.
 * @param {object} options `list`, of languageList; `fromSpeech`: the source is spoken, and may be left open;
 *   `onChange({source, target, languages})`, source "" where it shall be detected; null where there is no pair;
 *   `onSwap()` after the two have changed places
 * @returns {HTMLElement & {pair: object|null}}
 */
export function languagePair({list, fromSpeech = false, onChange, onSwap = () => {}}) {
  const source = h("select", {on: {change: () => settle()}});
  const target = h("select", {on: {change: () => settle()}});
  const swap = h("button", {
    type: "button", class: "quiet icon-only", "aria-label": t("swap"), title: t("swap"), disabled: true,
    on: {click: exchange},
  }, icon("swap"));
  const lists = h("div", {class: "translate-pair"},
    h("label", {class: "field"}, h("span", {}, t("from")), source), swap,
    h("label", {class: "field"}, h("span", {}, t("into")), target));
  const notice = h("div", {class: "stack"});
  const element = h("div", {class: "stack"}, lists, notice);
  element.pair = null;
  let languages = null;

  list.watch((seen) => {
    languages = seen.languages ? understand(seen.languages, fromSpeech) : null;
    const none = languages?.sources.length === 0;
    lists.hidden = none || Boolean(seen.fault);
    fill(notice);
    if (seen.fault) {
      fill(notice, failure(seen.fault, () => list.load()));
    } else if (none && languages.translates) {
      fill(notice, h("p", {class: "notice"}, t("unheard")));
    } else if (none) {
      fill(notice, h("p", {class: "notice"},
        t("no_pairs"), " ", h("code", {}, "apt-get install apertium apertium-eng-spa"), " ", t("no_pairs_after")));
    }
    if (languages && !none) offer(firstChoice(languages, fromSpeech));
    else {
      for (const select of [source, target]) fill(select, h("option", {}, t("loading")));
      announce(null);
    }
  });

  /** Fill both lists for this choice. */
  function offer(wanted) {
    fill(source, fromSpeech ? h("option", {value: ""}, t("detect")) : null, options(languages.sources));
    source.value = wanted.source;
    fill(target, options(source.value ? languages.targetsOf(source.value) : languages.targets));
    target.value = wanted.target;
    if (target.selectedIndex < 0) target.selectedIndex = 0;
    announce({source: source.value, target: target.value, languages});
  }

  function settle() {
    offer({source: source.value, target: target.value});
    localStorage.setItem(STORED, JSON.stringify({source: source.value, target: target.value}));
  }

  function exchange() {
    offer({source: target.value, target: source.value});
    settle();
    onSwap();
  }

  function announce(pair) {
    element.pair = pair;
    source.disabled = target.disabled = !pair;
    swap.disabled = !pair?.source || !pair.languages.has(pair.target, pair.source);
    onChange(pair);
  }

  return element;
}

function options(codes) {
  return codes.map((code) => [code, languageTitle(code)])
    .sort(([, one], [, other]) => one.localeCompare(other, locale()))
    .map(([code, name]) => h("option", {value: code}, name));
}

/** What was chosen last; else from the person's own language, else from English, to whatever is first. */
function firstChoice({sources, targetsOf, targets, has}, fromSpeech) {
  let last = {};
  try {
    last = JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch { /* Something else wrote there. */ }
  if (has(last.source, last.target) || (fromSpeech && last.source === "" && targets.includes(last.target))) return last;
  const source = [locale(), "en"].find((code) => sources.includes(code)) ?? sources[0];
  const target = [locale(), "en"].find((code) => has(source, code)) ?? targetsOf(source)[0];
  return {source, target};
}

/**
 * Make the list of voices for a language that changes.
 * @returns {HTMLElement & {value: string, offer: (language: string|null) => void}} `value`: "" for
 *   the language's default
 */
export function voiceChoice({signal}) {
  const select = h("select", {});
  const notice = h("div", {class: "row"});
  const element = h("div", {class: "field"}, h("label", {class: "field"}, h("span", {}, t("voice")), select), notice);
  let asked = null;
  const usual = () => h("option", {value: ""}, t("default_voice"));
  fill(select, usual());

  element.offer = async (language) => {
    if (language === asked) return;
    asked = language;
    fill(notice);
    if (!language || !/^[a-z]{2,3}$/.test(language)) {
      fill(select, usual());
      return;
    }
    fill(select, h("option", {value: ""}, t("loading")));
    try {
      const {voices, own} = await voicesOf(language, signal);
      if (asked !== language) return;
      fill(select, usual(), voices.map(({id, name}) => h("option", {value: id}, name)),
        own.map(({id, name}) => h("option", {value: id}, t("own_voice", {name}))));
      if (!voices.length) fill(notice, h("p", {class: "hint"}, t("no_voices")));
    } catch (error) {
      if (asked !== language) return;
      asked = null;
      fill(select, usual());
      fill(notice, failureBeside(error, () => element.offer(language)));
    }
  };
  Object.defineProperty(element, "value", {get: () => select.value});
  return element;
}
