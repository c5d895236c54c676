/**
 * Shown in place of what could not be loaded: the reason, and a button that tries again.
 * @import {Child} from "./types.js"
 */

import {sentenceOf} from "./api.js";
import {h, icon} from "./dom.js";
import {translations} from "./i18n.js";

const t = translations({en: {again: "Try again"}, ru: {again: "Повторить"}});

/**
 * Make the button.
 * @param {() => void} again
 * @param {string} [look] its classes
 */
export const tryAgain = (again, look = "quiet") =>
  h("button", {type: "button", class: look, on: {click: again}}, icon("retry"), t("again"));

const said = (/** @type {unknown} */ error) => typeof error === "string" ? error : sentenceOf(error);

/**
 * A block in place of what is missing.
 * @param {unknown} error what was thrown, or a sentence
 * @param {(() => void)|null} [again] without it there is no button
 * @param {...Child} more what can be done besides
 * @returns {HTMLElement|null} null for an abort, which needs no words
 */
export function failure(error, again = null, ...more) {
  const sentence = said(error);
  return !sentence ? null : h("div", {class: "stack"}, h("p", {class: "fault", role: "alert"}, sentence),
    again || more.length ? h("div", {class: "row"}, again && tryAgain(again), more) : null);
}

/**
 * Make the same as a line, beside what works without it.
 * @param {unknown} error
 * @param {() => void} again
 * @returns {HTMLElement|null}
 */
export function failureBeside(error, again) {
  const sentence = said(error);
  return !sentence ? null : h("div", {class: "row"}, h("span", {class: "hint", role: "alert"}, sentence),
    tryAgain(again, "quiet small"));
}
