/** Tabs (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/), chosen by arrow keys, Home and End. */

import {h, uniqueId} from "./dom.js";

/**
 * Make tabs.
 * @param {string} label of the whole
 * @param {Array<{id: string, title: string, panel: HTMLElement}>} items
 * @param {(id: string) => void} [onChange]
 * @returns {HTMLElement & {choose: (id: string) => void}}
 */
export function tabs(label, items, onChange = () => {}) {
  const stem = uniqueId("tab");
  const buttons = items.map(({id, title}) => h("button", {
    type: "button", role: "tab", id: `${stem}-${id}`, "aria-controls": `${stem}-${id}-panel`,
    on: {click: () => element.choose(id), keydown: (event) => move(event, id)},
  }, title));
  for (const {id, panel} of items) {
    panel.id = `${stem}-${id}-panel`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${stem}-${id}`);
  }
  const element = h("div", {class: "tabs"},
    h("div", {role: "tablist", "aria-label": label}, buttons), items.map(({panel}) => panel));

  function move(event, id) {
    const at = items.findIndex((item) => item.id === id);
    const last = items.length - 1;
    const target = {
      ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    element.choose(items[target].id);
    buttons[target].focus();
  }

  let chosen = null;
  element.choose = (id) => {
    items.forEach((item, i) => {
      const is = item.id === id;
      buttons[i].setAttribute("aria-selected", is);
      buttons[i].tabIndex = is ? 0 : -1;
      item.panel.hidden = !is;
    });
    if (chosen !== null && chosen !== id) onChange(id);
    chosen = id;
  };
  element.choose(items[0].id);
  return element;
}
