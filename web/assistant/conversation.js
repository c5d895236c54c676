/**
 * The conversation as it is seen: what was said, what is being said, and how long each step took.
 * @import {AssistantMessage, Child} from "../lib/types.js"
 * @typedef {ReturnType<typeof conversation>} Conversation
 * @typedef {{start: number, end: number}} Clause place of a clause in a reply's text
 * @typedef {object} Times milliseconds
 * @property {[step: "pause"|"transcript"|"text"|"voice"|"way", ms: number][]} parts
 * @property {number} total
 * @property {number|null} end
 * @property {boolean} sound a reply was heard
 */

import {fill, h, icon} from "../lib/dom.js";
import {decimal} from "../lib/i18n.js";
import {partialWords} from "../lib/partial-words.js";
import {t} from "./words.js";

/** Pixels from the bottom within which new text is followed. */
const NEAR = 80;
/** The wait that fills the bar. */
const FULL_MS = 3000;

/**
 * Make the conversation. What is complete stands in the log, which screen readers read out; what is still being heard
 * or said stands below it, which they don't.
 * @param {string} label id of its heading
 */
export function conversation(label) {
  const empty = h("div", {class: "assistant-empty"}, icon("assistant"), h("p", {class: "drop-title"}, t("empty_title")),
    h("p", {class: "hint"}, t("empty")));
  const past = h("div", {class: "assistant-log"});
  const log = h("div", {class: "assistant-log", role: "log", "aria-labelledby": label});
  const live = h("div", {class: "assistant-log"});
  const element = h("div", {class: "assistant-scroll", tabindex: "0", role: "region", "aria-labelledby": label},
    empty, past, log, live);

  /**
   * Make a change, and keep the end in view if it was.
   * @param {() => void} change
   */
  function follow(change) {
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    change();
    empty.hidden = Boolean(past.firstChild || log.firstChild || live.firstChild);
    if (near) element.scrollTop = element.scrollHeight;
  }

  const bubble = (/** @type {"you"|"assistant"} */ who, /** @type {Child[]} */ ...children) => h("div", {class: `assistant-bubble ${who}`},
    h("span", {class: "assistant-who"}, t(who)), children);

  return {
    element,
    /**
     * Have screen readers read replies out; those that are spoken aloud are not read out a second time.
     * @param {boolean} on
     */
    readOut: (on) => log.setAttribute("aria-live", on ? "polite" : "off"),
    clear: () => follow(() => [past, log, live].forEach((part) => fill(part))),
    /**
     * Show what was said before the page was opened.
     * @param {AssistantMessage[]} messages
     */
    recall: (messages) => follow(() => fill(past, messages.map(({role, content, interrupted}) => bubble(
      role === "user" ? "you" : "assistant", h("p", {}, content), interrupted ? interruption() : null)))),
    /**
     * Show something in its place.
     * @param {...Child} children
     */
    instead: (...children) => follow(() => fill(past, children)),
    typed: (/** @type {string} */ text) => follow(() => log.append(bubble("you", h("p", {}, text)))),

    note: (/** @type {string} */ text, fault = false) => follow(() => log.append(
      h("p", {class: fault ? "fault" : "hint assistant-note"}, text))),

    /**
     * Show an utterance: `say` what was recognised so far and how much of that is stable, then `settle` the words, else
     * `drop` it.
     */
    heard() {
      const words = h("p", {}, "…");
      const own = bubble("you", words);
      own.classList.add("partial");
      follow(() => live.append(own));
      return {
        say: (/** @type {string} */ text, /** @type {string} */ stable) => follow(() => fill(words, partialWords(text, stable))),
        settle: (/** @type {string} */ text) => follow(() => {
          own.remove();
          own.classList.remove("partial");
          fill(words, text);
          log.append(own);
        }),
        drop: () => follow(() => { if (own.classList.contains("partial")) own.remove(); }),
      };
    },

    reply: () => reply(bubble("assistant"), follow, live, log),
  };
}

const interruption = () => h("span", {class: "badge"}, icon("stop"), t("interrupted"));

/**
 * Show a reply that grows, with the clause marked that is being spoken.
 * @param {HTMLElement} own its bubble
 * @param {(change: () => void) => void} follow
 * @param {HTMLElement} live holds it until it is over
 * @param {HTMLElement} log holds it then
 */
function reply(own, follow, live, log) {
  const [said, now, rest] = [h("span"), h("mark"), h("span")];
  own.append(h("p", {}, said, now, rest));
  follow(() => live.append(own));
  let text = "";
  let looked = 0;
  /** @type {Clause|null} */
  let spoken = null;

  function draw() {
    const {start, end} = spoken ?? {start: 0, end: 0};
    fill(said, text.slice(0, start));
    fill(now, text.slice(start, end));
    fill(rest, text.slice(end));
  }

  return {
    add: (/** @type {string} */ piece) => follow(() => {
      text += piece;
      draw();
    }),
    /**
     * Find the place of the next clause; null where the text does not have it.
     * @param {string} clause
     * @returns {Clause|null}
     */
    place(clause) {
      const words = clause.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const found = text.slice(looked).match(new RegExp(words.join("\\s+")));
      if (found?.index === undefined) return null;
      const start = looked + found.index;
      looked = start + found[0].length;
      return {start, end: looked};
    },
    /**
     * Mark the clause at a place as being spoken.
     * @param {Clause} place
     */
    speak(place) {
      spoken = place;
      own.classList.add("spoken");
      draw();
    },
    note: (/** @type {string} */ sentence) => follow(() => own.append(h("span", {class: "hint"}, sentence))),
    /**
     * End it; where it was interrupted, what was not spoken by then is shown as such.
     * @param {{interrupted: boolean, times: Times|null}} outcome
     */
    settle: ({interrupted, times}) => follow(() => {
      if (interrupted) own.classList.add("cut");
      else {
        spoken = null;
        own.classList.remove("spoken");
        draw();
      }
      if (interrupted) own.append(interruption());
      if (times) own.append(waiting(times));
      live.removeChild(own);
      log.append(own);
    }),
  };
}

/**
 * Show how long each step took.
 * @param {Times} times
 */
function waiting({parts, total, end, sound}) {
  const seconds = (/** @type {number} */ ms) => decimal(Math.max(0, ms) / 1000, 2);
  const bar = h("span", {class: "assistant-bar", "aria-hidden": "true"}, parts.map(([name, ms]) => {
    const piece = h("span", {class: `assistant-part ${name}`});
    piece.style.flexGrow = String(Math.max(0, ms));
    return piece;
  }));
  bar.style.inlineSize = `${Math.min(100, (100 * total) / FULL_MS)}%`;
  const headline = t(sound ? "waited" : "waited_text", {seconds: seconds(total)});
  return h("div", {class: "assistant-times numbers"},
    h("span", {}, end === null ? headline : `${headline}, ${t("complete", {seconds: seconds(end)})}`), bar,
    h("ul", {}, parts.map(([name, ms]) => h("li", {class: name}, t(`p_${name}`, {seconds: seconds(ms)})))));
}
