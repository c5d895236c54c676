/** Search within the transcript: all hits marked, one of them the current one. */

import {fill, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";
import {occurrences} from "./paragraphs.js";

const t = translations({
  en: {
    find: "Search", search: "Search the transcript", next: "Next hit", previous: "Previous hit", none: "Not found",
    count: "{at} of {n}",
    keys: "Enter: next hit, Shift + Enter: previous hit, Esc: clear",
  },
  ru: {
    find: "Поиск", search: "Поиск в расшифровке",
    next: "Следующее совпадение", previous: "Предыдущее совпадение", none: "Не найдено",
    count: "{at} из {n}",
    keys: "Enter — следующее, Shift + Enter — предыдущее, Esc — очистить",
  },
});

const TYPING_MS = 150;
const HITS = "transcript-hit";
const CURRENT = "transcript-current";

/**
 * Make the field.
 * @param {object} options
 * @param {import("./paragraphs.js").Paragraph[]} options.paragraphs
 * @param {import("./turns.js").TurnList} options.list
 * @param {(range: Range) => void} options.reveal scrolls to a part of the text
 * @param {AbortSignal} options.signal
 */
export function searchField({paragraphs, list, reveal, signal}) {
  const field = h("input", {
    type: "search", "aria-label": t("search"), placeholder: t("find"), title: t("keys"), autocomplete: "off",
    spellcheck: "false", on: {
      input: () => {
        clearTimeout(timer);
        timer = setTimeout(find, TYPING_MS);
      },
      keydown: (event) => {
        if (event.key === "Enter" && !event.isComposing) {
          event.preventDefault();
          if (field.value.trim() !== sought) find();
          else move(event.shiftKey ? -1 : 1);
        } else if (event.key === "Escape") {
          field.value = "";
          find();
        }
      },
    },
  });
  const count = h("span", {class: "numbers hint transcript-count", role: "status"});
  const step = (/** @type {number} */ by, /** @type {"up"|"down"} */ name, /** @type {string} */ words) => h("button", {
    type: "button", class: "quiet icon-only", "aria-label": words, title: words, hidden: true,
    on: {click: () => move(by)},
  }, icon(name));
  const buttons = [step(-1, "up", t("previous")), step(1, "down", t("next"))];
  /** @type {ReturnType<typeof occurrences>} */
  let hits = [];
  let [at, sought, timer] = [-1, "", 0];
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    unmark();
  }, {once: true});

  function unmark() {
    CSS.highlights?.delete(HITS);
    CSS.highlights?.delete(CURRENT);
  }

  function find() {
    clearTimeout(timer);
    sought = field.value.trim();
    hits = occurrences(paragraphs, sought);
    at = -1;
    unmark();
    for (const button of buttons) button.hidden = hits.length === 0;
    if (!hits.length) {
      fill(count, sought ? t("none") : "");
      return;
    }
    if (CSS.highlights) CSS.highlights.set(HITS, new Highlight(...hits.map((hit) => list.range(...hit))));
    move(1);
  }

  /** @param {number} by */
  function move(by) {
    if (!hits.length) return;
    at = (at + by + hits.length) % hits.length;
    fill(count, t("count", {at: at + 1, n: hits.length}));
    const range = list.range(...hits[at]);
    if (CSS.highlights) {
      const current = new Highlight(range);
      current.priority = 1;
      CSS.highlights.set(CURRENT, current);
    }
    reveal(range);
  }

  return h("div", {class: "transcript-search", role: "search"}, field, count, buttons);
}
