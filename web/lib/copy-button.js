/** A button that copies a text. */

import {extend, fill, h, icon} from "./dom.js";
import {translations} from "./i18n.js";

const t = translations({
  en: {copied: "Copied", by_hand: "Press Ctrl + C"},
  ru: {copied: "Скопировано", by_hand: "Нажмите Ctrl + C"},
});

/**
 * Make a button that copies.
 * @param {object} options
 * @param {() => string} options.text what to copy
 * @param {string} options.words on the button
 * @param {HTMLElement} options.from shows the text; it is selected where the browser does not let a page copy (it does on
 *   secure pages only)
 * @param {import("./types.js").IconName} [options.symbol]
 */
export function copyButton({text, words, from, symbol = "copy"}) {
  const label = h("span", {}, words);
  const said = h("span", {class: "visually-hidden", role: "status"});
  const button = h("button", {type: "button", class: "quiet", on: {click: async () => {
    try {
      await navigator.clipboard.writeText(text());
      tell(t("copied"));
    } catch {
      from.hidden = false;
      getSelection()?.selectAllChildren(from);
      tell(t("by_hand"));
    }
  }}}, icon(symbol), label);

  /** @param {string} sentence */
  function tell(sentence) {
    fill(label, sentence);
    fill(said, sentence);
    setTimeout(() => {
      fill(label, words);
      fill(said);
    }, 2500);
  }

  return extend(h("span", {}, button, said), {
    /** @param {boolean} disabled */
    disable(disabled) { button.disabled = disabled; },
  });
}
