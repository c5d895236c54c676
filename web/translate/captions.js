/** Captions in both languages: shown while they come, and saved as text or subtitles. */

import {fill, h, icon} from "../lib/dom.js";
import {clock, speaker} from "../lib/i18n.js";
import {langOf} from "./languages.js";

const t = speaker({
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

/** A subtitle whose end was not told stands so long. */
const USUAL_SECONDS = 3;

/**
 * Make the captions. A turn goes by its id; what is still being said stands below what was said, out of the log.
 * @param {object} options `onChange()`: there are more or fewer of them
 * @returns {HTMLElement & object} see the methods; `entries()` are those with a text: {from, until, source, target}
 */
export function captions({onChange}) {
  const log = h("div", {class: "translate-log", role: "log", "aria-label": t("captions")});
  const pending = h("div", {class: "translate-pending", "aria-hidden": "true"});
  const hint = h("p", {class: "hint"}, t("empty"));
  const element = h("div", {class: "translate-captions", role: "region", "aria-label": t("captions"), tabindex: "0"},
    hint, log, pending);
  const turns = new Map();

  /** Change a turn; whoever reads at the end sees the newest, whoever has scrolled up is left there. */
  function change(id, news) {
    const follows = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    const turn = turns.get(id) ?? {id, from: performance.now(), element: h("div", {class: "translate-caption"})};
    Object.assign(turn, news);
    turns.set(id, turn);
    draw(turn);
    hint.hidden = turns.size > 0;
    if (follows) element.scrollTop = element.scrollHeight;
    onChange();
  }

  function draw(turn) {
    const place = turn.final || turn.fault ? log : pending;
    if (turn.element.parentNode !== place) place.append(turn.element);
    const words = turn.source || turn.partial || (turn.fault ? "" : t(turn.until ? "recognising" : "listening"));
    fill(turn.element,
      words ? h("p", {class: "translate-heard", dir: "auto", lang: langOf(turn.language)}, words) : null,
      turn.target ? h("p", {class: "translate-meant", dir: "auto", lang: langOf(turn.into)}, turn.target) : null,
      turn.suspect ? h("p", {class: "hint"}, icon("warning"), " ", t("check")) : null,
      turn.fault ? h("p", {class: "hint"}, icon("warning"), " ", turn.fault) : null);
  }

  function remove(id) {
    turns.get(id)?.element.remove();
    turns.delete(id);
    hint.hidden = turns.size > 0;
    onChange();
  }

  return Object.assign(element, {
    begin: (id, at) => change(id, {from: at}),
    end: (id, at) => change(id, {until: at}),
    partial: (id, text) => change(id, {partial: text}),
    /** An empty text: there were no words. */
    said(id, text, language) {
      if (text) change(id, {source: text, language, final: true});
      else remove(id);
    },
    mean: (id, text, language, suspect) => change(id, {target: text, into: language, suspect, done: true}),
    fail: (id, sentence) => change(id, {fault: sentence, done: true}),
    close(id) {
      if (turns.has(id)) change(id, {done: true});
    },
    /** Those on their way whose id begins so get no more words. */
    lose(stem) {
      for (const turn of [...turns.values()]) {
        if (turn.done || !turn.id.startsWith(stem)) continue;
        const source = turn.source ?? turn.partial;
        if (source) change(turn.id, {fault: t("lost"), done: true, source});
        else remove(turn.id);
      }
    },
    /** Light the one that is heard; null for none. */
    light(id) {
      for (const turn of turns.values()) turn.element.classList.toggle("is-heard", turn.id === id);
    },
    clear() {
      turns.clear();
      fill(log);
      fill(pending);
      hint.hidden = false;
      onChange();
    },
    entries() {
      return [...turns.values()].filter(({source}) => source).map(({from, until, source, target}) =>
        ({from, until: until ?? from + USUAL_SECONDS * 1000, source, target: target ?? ""}));
    },
  });
}

/** The lines of an entry that are wanted: "source", "target" or "both". */
function lines({source, target}, which) {
  return (which === "both" ? [source, target] : [which === "source" ? source : target]).filter(Boolean);
}

/** As a text to read, with the time of each since the first. */
export function asText(entries, which) {
  const start = entries[0]?.from ?? 0;
  return entries.filter((entry) => lines(entry, which).length).map((entry) =>
    [`[${clock((entry.from - start) / 1000)}]`, ...lines(entry, which), ""].join("\n")).join("\n");
}

/** As subtitles (SRT); one ends before the next begins. */
export function asSubtitles(entries, which) {
  const shown = entries.filter((entry) => lines(entry, which).length);
  const start = entries[0]?.from ?? 0;
  return shown.map((entry, i) => {
    const until = Math.max(Math.min(entry.until, shown[i + 1]?.from ?? Infinity), entry.from + 1);
    const times = `${stamp(entry.from - start)} --> ${stamp(until - start)}`;
    return [i + 1, times, ...lines(entry, which), ""].join("\n");
  }).join("\n");
}

/** 00:01:02,345 */
function stamp(milliseconds) {
  return new Date(Math.max(0, Math.round(milliseconds))).toISOString().slice(11, 23).replace(".", ",");
}
