/** What is shown where something could not be had: why, and the button that asks for it once more. */

import {sentenceOf} from "./api.js";
import {h, icon} from "./dom.js";
import {speaker} from "./i18n.js";

const t = speaker({en: {again: "Try again"}, ru: {again: "Повторить"}});

/** The button. `look`: the classes of its kind. */
export const tryAgain = (again, look = "quiet") =>
  h("button", {type: "button", class: look, on: {click: again}}, icon("retry"), t("again"));

const said = (error) => typeof error === "string" ? error : sentenceOf(error);

/**
 * A block in place of what is missing.
 * @param {unknown} error what was thrown, or a sentence
 * @param {() => void} [again] without it there is no button
 * @param {...Node} more what can be done besides
 * @returns {HTMLElement|null} null for an abort, of which nobody need hear
 */
export function failure(error, again = null, ...more) {
  const sentence = said(error);
  return sentence && h("div", {class: "stack"}, h("p", {class: "fault", role: "alert"}, sentence),
    again || more.length ? h("div", {class: "row"}, again && tryAgain(again), more) : null);
}

/** The same as a line beside what works without it. */
export function failureBeside(error, again) {
  const sentence = said(error);
  return sentence && h("div", {class: "row"}, h("span", {class: "hint", role: "alert"}, sentence),
    tryAgain(again, "quiet small"));
}
