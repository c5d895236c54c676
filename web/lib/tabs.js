/** Tabs (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/), chosen by arrow keys, Home and End. */

import {extend, h, uniqueId} from "./dom.js";

/**
 * Make tabs.
 * @template {string} Id
 * @param {string} label of the whole
 * @param {Array<{id: Id, title: string, panel: HTMLElement}>} items
 * @param {(id: Id) => void} [onChange]
 */
export function tabs(label, items, onChange = () => {}) {
  const stem = uniqueId("tab");
  const buttons = items.map(({id, title}) => h("button", {
    type: "button", role: "tab", id: `${stem}-${id}`, "aria-controls": `${stem}-${id}-panel`,
    on: {click: () => choose(id), keydown: (event) => move(event, id)},
  }, title));
  for (const {id, panel} of items) {
    panel.id = `${stem}-${id}-panel`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${stem}-${id}`);
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Id} id
   */
  function move(event, id) {
    const at = items.findIndex((item) => item.id === id);
    const last = items.length - 1;
    /** @type {Record<string, number>} */
    const targets = {ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last};
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    choose(items[target].id);
    buttons[target].focus();
  }

  /** @type {Id|null} */
  let chosen = null;

  /** @param {Id} id */
  function choose(id) {
    items.forEach((item, i) => {
      const is = item.id === id;
      buttons[i].setAttribute("aria-selected", String(is));
      buttons[i].tabIndex = is ? 0 : -1;
      item.panel.hidden = !is;
    });
    if (chosen !== null && chosen !== id) onChange(id);
    chosen = id;
  }

  choose(items[0].id);
  return extend(h("div", {class: "tabs"},
    h("div", {role: "tablist", "aria-label": label}, buttons), items.map(({panel}) => panel)), {choose});
}
