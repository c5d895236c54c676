/**
 * Captions in both languages: shown while they come, and saved as text or subtitles.
 * @typedef {object} Turn
 * @property {string} id
 * @property {number} from when it began, as performance.now() tells it
 * @property {number} [until]
 * @property {HTMLElement} element
 * @property {string} [partial] heard so far
 * @property {string} [stable] beginning of that which does not change any more
 * @property {string} [source]
 * @property {string} [language] of the source
 * @property {boolean} [final] the source will not change
 * @property {string} [target]
 * @property {string} [into] its language
 * @property {boolean} [suspect] the target looks like no translation
 * @property {string} [fault] a sentence
 * @property {boolean} [done] no more will come
 * @typedef {{from: number, until: number, source: string, target: string}} Entry
 * @typedef {"source"|"target"|"both"} Which
 */

import {extend, fill, h, icon} from "../lib/dom.js";
import {clock, translations} from "../lib/i18n.js";
import {partialWords} from "../lib/partial-words.js";
import {langOf} from "./languages.js";

const t = translations({
  en: {
    captions: "Captions", listening: "…", recognising: "Recognising…",
    check: "Check this: it looks like no translation.", lost: "This was lost with the connection. Say it again.",
    empty: "What you say appears here, and its translation below it.",
  },
  ru: {
    captions: "Титры", listening: "…", recognising: "Распознаю…", check: "Проверьте: не похоже на перевод.",
    lost: "Это пропало вместе со связью. Повторите.",
    empty: "Здесь появится то, что вы говорите, и под ним — перевод.",
  },
});

/** Length of a subtitle whose end was not told. */
const USUAL_SECONDS = 3;

/**
 * Make the captions. What is still being said is below what was said, out of the log.
 * @param {object} options
 * @param {() => void} options.onChange there are more or fewer of them
 */
export function captions({onChange}) {
  const log = h("div", {class: "translate-log", role: "log", "aria-label": t("captions")});
  const pending = h("div", {class: "translate-pending", "aria-hidden": "true"});
  const hint = h("p", {class: "hint"}, t("empty"));
  const element = h("div", {class: "translate-captions", role: "region", "aria-label": t("captions"), tabindex: "0"},
    hint, log, pending);
  /** @type {Map<string, Turn>} */
  const turns = new Map();

  /**
   * Change a turn; the end of the list stays in view, unless the person has scrolled up.
   * @param {string} id
   * @param {Partial<Turn>} news
   */
  function change(id, news) {
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    /** @type {Turn} */
    const turn = turns.get(id) ?? {id, from: performance.now(), element: h("div", {class: "translate-caption"})};
    Object.assign(turn, news);
    turns.set(id, turn);
    draw(turn);
    hint.hidden = turns.size > 0;
    if (follows) element.scrollTop = element.scrollHeight;
    onChange();
  }

  /** @param {Turn} turn */
  function draw(turn) {
    const place = turn.final || turn.fault ? log : pending;
    if (turn.element.parentNode !== place) place.append(turn.element);
    const words = turn.source || (turn.partial && partialWords(turn.partial, turn.stable ?? "")) ||
      (turn.fault ? "" : t(turn.until ? "recognising" : "listening"));
    fill(turn.element,
      words ? h("p", {class: "translate-heard", dir: "auto", lang: langOf(turn.language)}, words) : null,
      turn.target ? h("p", {class: "translate-meant", dir: "auto", lang: langOf(turn.into)}, turn.target) : null,
      turn.suspect ? h("p", {class: "hint"}, icon("warning"), " ", t("check")) : null,
      turn.fault ? h("p", {class: "hint"}, icon("warning"), " ", turn.fault) : null);
  }

  /** @param {string} id */
  function remove(id) {
    turns.get(id)?.element.remove();
    turns.delete(id);
    hint.hidden = turns.size > 0;
    onChange();
  }

  return extend(element, {
    begin: (/** @type {string} */ id, /** @type {number} */ at) => change(id, {from: at}),
    end: (/** @type {string} */ id, /** @type {number} */ at) => change(id, {until: at}),
    /**
     * @param {string} id
     * @param {string} partial
     * @param {string} stable
     */
    partial: (id, partial, stable) => change(id, {partial, stable}),
    /**
     * @param {string} id
     * @param {string} text "" where there were no words
     * @param {string} language
     */
    setTranscript(id, text, language) {
      if (text) change(id, {source: text, language, final: true});
      else remove(id);
    },
    /**
     * @param {string} id
     * @param {string} text
     * @param {string} language
     * @param {boolean} suspect
     */
    setTranslation: (id, text, language, suspect) => change(id, {target: text, into: language, suspect, done: true}),
    fail: (/** @type {string} */ id, /** @type {string} */ sentence) => change(id, {fault: sentence, done: true}),
    close(/** @type {string} */ id) {
      if (turns.has(id)) change(id, {done: true});
    },
    /**
     * Mark the unfinished turns whose id begins so: the connection broke, so they get no more words.
     * @param {string} stem
     */
    lose(stem) {
      for (const turn of [...turns.values()]) {
        if (turn.done || !turn.id.startsWith(stem)) continue;
        const source = turn.source ?? turn.partial;
        if (source) change(turn.id, {fault: t("lost"), done: true, source});
        else remove(turn.id);
      }
    },
    /**
     * Highlight the one that is heard.
     * @param {string|null} id
     */
    highlight(id) {
      for (const turn of turns.values()) turn.element.classList.toggle("is-heard", turn.id === id);
    },
    clear() {
      turns.clear();
      fill(log);
      fill(pending);
      hint.hidden = false;
      onChange();
    },
    /**
     * Return those with a text.
     * @returns {Entry[]}
     */
    entries() {
      return [...turns.values()].flatMap(({from, until, source, target = ""}) =>
        source ? [{from, until: until ?? from + USUAL_SECONDS * 1000, source, target}] : []);
    },
  });
}

/**
 * Return the lines of an entry that are wanted.
 * @param {Entry} entry
 * @param {Which} which
 */
function lines({source, target}, which) {
  return (which === "both" ? [source, target] : [which === "source" ? source : target]).filter(Boolean);
}

/**
 * Format captions as a text to read, with the time of each since the first.
 * @param {Entry[]} entries
 * @param {Which} which
 */
export function asText(entries, which) {
  const start = entries[0]?.from ?? 0;
  return entries.filter((entry) => lines(entry, which).length).map((entry) =>
    [`[${clock((entry.from - start) / 1000)}]`, ...lines(entry, which), ""].join("\n")).join("\n");
}

/**
 * Format captions as subtitles (SRT); one ends before the next begins.
 * @param {Entry[]} entries
 * @param {Which} which
 */
export function asSubtitles(entries, which) {
  const shown = entries.filter((entry) => lines(entry, which).length);
  const start = entries[0]?.from ?? 0;
  return shown.map((entry, i) => {
    const until = Math.max(Math.min(entry.until, shown[i + 1]?.from ?? Infinity), entry.from + 1);
    const times = `${stamp(entry.from - start)} --> ${stamp(until - start)}`;
    return [i + 1, times, ...lines(entry, which), ""].join("\n");
  }).join("\n");
}

/**
 * Format a time as SRT does: 00:01:02,345.
 * @param {number} milliseconds
 */
function stamp(milliseconds) {
  return new Date(Math.max(0, Math.round(milliseconds))).toISOString().slice(11, 23).replace(".", ",");
}
