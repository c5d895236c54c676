/**
 * The languages: which pairs there are, and the two lists in which a person chooses them.
 * @import {Languages} from "../lib/types.js"
 * @typedef {{languages?: Languages, fault?: string}} Seen neither while they are being loaded
 * @typedef {ReturnType<typeof languageList>} LanguageList
 * @typedef {ReturnType<typeof choices>} Choices
 * @typedef {{source: string, target: string, languages: Choices}} Pair `source`: "" where it shall be detected
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {languageTitle, locale, translations} from "../lib/i18n.js";
import {failure, failureBeside} from "../lib/try-again.js";
import {sampleButton, voicesOf, voiceTitle} from "../lib/voices.js";

const t = translations({
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

/**
 * Return the `lang` of an element whose text is in this language.
 * @param {string|null} [code]
 */
export const langOf = (code) => code?.replaceAll("_", "-") ?? null;

/**
 * Load the languages once for the whole section.
 * @param {AbortSignal} signal
 */
export function languageList(signal) {
  /** @type {((seen: Seen) => void)[]} */
  const watchers = [];
  const tell = (/** @type {Seen} */ seen) => watchers.forEach((draw) => draw(seen));
  return {
    /** @param {(seen: Seen) => void} draw */
    watch(draw) { watchers.push(draw); },
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

/**
 * Return the languages to choose from.
 * @param {Languages} known
 * @param {boolean} fromSpeech the source is spoken: only languages that are recognised
 */
function choices({recognition, translation, speech}, fromSpeech) {
  const {languages, pairs} = translation;
  /**
   * @param {string} source
   * @returns {string[]}
   */
  const targetsOf = (source) => {
    if (fromSpeech && !recognition.languages.includes(source)) return [];
    return pairs ? pairs[source] ?? [] : languages.filter((code) => code !== source);
  };
  const sources = languages.filter((code) => targetsOf(code).length);
  const targets = languages.filter((code) => sources.some((source) => targetsOf(source).includes(code)));
  return {
    sources, targets, targetsOf, translates: languages.length > 0,
    has: (/** @type {string} */ source, /** @type {string} */ target) => targetsOf(source).includes(target),
    spoken: (/** @type {string} */ code) => speech.languages.some((one) => one === code || one.startsWith(`${code}-`)),
  };
}

/**
 * Make the two lists and the button that swaps them.
 * @param {object} options
 * @param {LanguageList} options.list
 * @param {boolean} [options.fromSpeech] the source is spoken, and may be detected
 * @param {(pair: Pair|null) => void} options.onChange null where there is no pair
 * @param {() => void} [options.onSwap] the two have changed places
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
  const element = extend(h("div", {class: "stack"}, lists, notice), {pair: /** @type {Pair|null} */ (null)});
  /** @type {Choices|null} */
  let languages = null;

  list.watch((seen) => {
    languages = seen.languages ? choices(seen.languages, fromSpeech) : null;
    const none = languages?.sources.length === 0;
    lists.hidden = none || Boolean(seen.fault);
    fill(notice);
    if (seen.fault) {
      fill(notice, failure(seen.fault, () => list.load()));
    } else if (none && languages?.translates) {
      fill(notice, h("p", {class: "notice"}, t("unheard")));
    } else if (none) {
      fill(notice, h("p", {class: "notice"},
        t("no_pairs"), " ", h("code", {}, "apt-get install apertium apertium-eng-spa"), " ", t("no_pairs_after")));
    }
    if (languages && !none) offer(firstChoice(languages, fromSpeech), languages);
    else {
      for (const select of [source, target]) fill(select, h("option", {}, t("loading")));
      announce(null);
    }
  });

  /**
   * Fill both lists for this choice.
   * @param {{source: string, target: string}} wanted
   * @param {Choices} known
   */
  function offer(wanted, known) {
    fill(source, fromSpeech ? h("option", {value: ""}, t("detect")) : null, options(known.sources));
    source.value = wanted.source;
    fill(target, options(source.value ? known.targetsOf(source.value) : known.targets));
    target.value = wanted.target;
    if (target.selectedIndex < 0) target.selectedIndex = 0;
    announce({source: source.value, target: target.value, languages: known});
  }

  function settle() {
    if (!languages) return;
    offer({source: source.value, target: target.value}, languages);
    localStorage.setItem(STORED, JSON.stringify({source: source.value, target: target.value}));
  }

  function exchange() {
    if (!languages) return;
    offer({source: target.value, target: source.value}, languages);
    settle();
    onSwap();
  }

  /** @param {Pair|null} pair */
  function announce(pair) {
    element.pair = pair;
    source.disabled = target.disabled = !pair;
    swap.disabled = !pair?.source || !pair.languages.has(pair.target, pair.source);
    onChange(pair);
  }

  return element;
}

/** @param {string[]} codes */
function options(codes) {
  return codes.map((code) => ({code, name: languageTitle(code)}))
    .sort((one, other) => one.name.localeCompare(other.name, locale()))
    .map(({code, name}) => h("option", {value: code}, name));
}

/**
 * Return the pair that was chosen last; else from the person's own language, else from English, to the first there is.
 * @param {Choices} choices
 * @param {boolean} fromSpeech
 * @returns {{source: string, target: string}}
 */
function firstChoice({sources, targetsOf, targets, has}, fromSpeech) {
  /** @type {any} */
  let last = {};
  try {
    last = JSON.parse(localStorage.getItem(STORED) ?? "null") ?? {};
  } catch { /* Something else wrote there. */ }
  if (has(last.source, last.target) || (fromSpeech && last.source === "" && targets.includes(last.target))) return last;
  const source = [locale(), "en"].find((code) => sources.includes(code)) ?? sources[0];
  const target = [locale(), "en"].find((code) => has(source, code)) ?? targetsOf(source)[0];
  return {source, target};
}

/**
 * Make the list of voices for a language that changes; the value of its `select` is "" for the language's default.
 * @param {{signal: AbortSignal}} options
 */
export function voiceChoice({signal}) {
  const select = h("select", {});
  const notice = h("div", {class: "row"});
  const sample = sampleButton(select, signal);
  const element = h("div", {class: "field"},
    h("div", {class: "voice-field"}, h("label", {class: "field"}, h("span", {}, t("voice")), select), sample), notice);
  /** @type {string|null} */
  let asked = null;
  const usual = () => h("option", {value: ""}, t("default_voice"));
  fill(select, usual());

  /** @param {string|null} language */
  async function offer(language) {
    if (language === asked) return;
    asked = language;
    fill(notice);
    sample.offer([]);
    if (!language || !/^[a-z]{2,3}$/.test(language)) {
      fill(select, usual());
      return;
    }
    fill(select, h("option", {value: ""}, t("loading")));
    try {
      const {voices, own} = await voicesOf(language, signal);
      if (asked !== language) return;
      fill(select, usual(), voices.map((one) => h("option", {value: one.id}, voiceTitle(one))),
        own.map(({id, name}) => h("option", {value: id}, t("own_voice", {name}))));
      sample.offer(voices);
      if (!voices.length) fill(notice, h("p", {class: "hint"}, t("no_voices")));
    } catch (error) {
      if (asked !== language) return;
      asked = null;
      fill(select, usual());
      fill(notice, failureBeside(error, () => offer(language)));
    }
  }

  return {element, select, offer};
}
