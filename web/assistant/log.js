/** The conversation as it is seen: what was said, what is being said, and how long each step took. */

import {fill, h, icon} from "../lib/dom.js";
import {decimal} from "../lib/i18n.js";
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

  function follow(change) {
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
    change();
    empty.hidden = Boolean(past.firstChild || log.firstChild || live.firstChild);
    if (near) element.scrollTop = element.scrollHeight;
  }

  const bubble = (who, ...children) => h("div", {class: `assistant-bubble ${who}`},
    h("span", {class: "assistant-who"}, t(who)), children);

  return {
    element,
    /** Replies that are spoken aloud are not read out a second time. */
    readOut: (on) => log.setAttribute("aria-live", on ? "polite" : "off"),
    clear: () => follow(() => [past, log, live].forEach((part) => fill(part))),
    /** What was said before the page was opened, or what stands in its place. */
    recall: (messages) => follow(() => fill(past, messages.map(({role, content, interrupted}) => bubble(
      role === "user" ? "you" : "assistant", h("p", {}, content), interrupted ? interruption() : null)))),
    instead: (...children) => follow(() => fill(past, children)),
    typed: (text) => follow(() => log.append(bubble("you", h("p", {}, text)))),

    note: (text, fault = false) => follow(() => log.append(
      h("p", {class: fault ? "fault" : "hint assistant-note"}, text))),

    /** What is being heard: `say` what was made out so far, then `settle` the words, else `drop` it. */
    heard() {
      const words = h("p", {}, "…");
      const own = bubble("you", words);
      own.classList.add("partial");
      follow(() => live.append(own));
      return {
        say: (text) => follow(() => fill(words, text)),
        settle: (text) => follow(() => {
          own.remove();
          own.classList.remove("partial");
          fill(words, text);
          log.append(own);
        }),
        drop: () => follow(() => { if (own.classList.contains("partial")) own.remove(); }),
      };
    },

    reply: () => reply(bubble, follow, live, log),
  };
}

const interruption = () => h("span", {class: "badge"}, icon("stop"), t("interrupted"));

/** A reply that grows, with the clause marked that is being spoken. */
function reply(bubble, follow, live, log) {
  const [said, now, rest] = [h("span"), h("mark"), h("span")];
  const own = bubble("assistant", h("p", {}, said, now, rest));
  follow(() => live.append(own));
  let text = "";
  let looked = 0;
  let spoken = null;

  function draw() {
    const {start, end} = spoken ?? {start: 0, end: 0};
    fill(said, text.slice(0, start));
    fill(now, text.slice(start, end));
    fill(rest, text.slice(end));
  }

  return {
    add: (piece) => follow(() => {
      text += piece;
      draw();
    }),
    /** Find the place of a clause, which comes after those before; null where the text has no such. */
    place(clause) {
      const words = clause.trim().split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
      const found = text.slice(looked).match(new RegExp(words.join("\\s+")));
      if (!found) return null;
      const start = looked + found.index;
      looked = start + found[0].length;
      return {start, end: looked};
    },
    /** Mark the clause at a place as being spoken. */
    speak(place) {
      spoken = place;
      own.classList.add("spoken");
      draw();
    },
    note: (sentence) => follow(() => own.append(h("span", {class: "hint"}, sentence))),
    /** It is over; `interrupted`: what was not spoken by then is shown as such. */
    settle: ({interrupted, times}) => follow(() => {
      if (interrupted) own.classList.add("cut");
      else {
        spoken = null;
        own.classList.remove("spoken");
        draw();
      }
      own.append(...[interrupted ? interruption() : null, times ? waiting(times) : null].filter(Boolean));
      live.removeChild(own);
      log.append(own);
    }),
  };
}

/**
 * Show how long each step took.
 * @param {{parts: Array<[string, number]>, total: number, end: number|null, sound: boolean}} times milliseconds
 */
function waiting({parts, total, end, sound}) {
  const seconds = (ms) => decimal(Math.max(0, ms) / 1000, 2);
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
