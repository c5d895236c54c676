/** The button that is held to talk: by pointer, by the space bar, or pressed twice by whoever can't hold it. */

import {fill, h, icon} from "../lib/dom.js";
import {t} from "./words.js";

/** A press that is shorter than this goes on until the next one. */
const TAP_MS = 350;
const OWN_KEYS = "input, textarea, select, button, a, summary, [contenteditable]";

/**
 * Make the button.
 * @param {object} options `onBegin()` may return false: nothing begins; `onEnd()`; `onChange()`; `signal`
 * @returns {HTMLElement & {talking: boolean, latched: boolean, reset: () => void,
 *   show: (on: boolean, free: boolean) => void}}
 */
export function talkButton({onBegin, onEnd, onChange, signal}) {
  const label = h("span", {}, t("talk"));
  const button = h("button", {type: "button", class: "assistant-talk", "aria-pressed": "false"}, icon("voice"), label);
  button.talking = button.latched = false;
  let since = 0;

  function press() {
    if (button.talking) {
      if (button.latched) end();
      return;
    }
    if (onBegin() === false) return;
    button.talking = true;
    button.latched = false;
    since = performance.now();
    onChange();
  }

  function release() {
    if (!button.talking || button.latched) return;
    if (performance.now() - since < TAP_MS) {
      button.latched = true;
      onChange();
    } else end();
  }

  function end() {
    button.reset();
    onEnd();
  }

  button.reset = () => {
    button.talking = button.latched = false;
    onChange();
  };

  button.show = (on, free) => {
    button.setAttribute("aria-pressed", on);
    const name = t(free ? "talk_off" : "talk");
    button.setAttribute("aria-label", name);
    button.title = name;
    fill(label, t("talk"));
    label.hidden = free;
  };

  const listen = (target, event, listener) => target.addEventListener(event, listener, {signal});
  listen(button, "pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    try {
      button.setPointerCapture(event.pointerId);
    } catch { /* The pointer is gone already: its release comes anyhow. */ }
    press();
  });
  listen(button, "pointerup", release);
  listen(button, "pointercancel", release);
  listen(button, "contextmenu", (event) => event.preventDefault());
  // Enter and assistive technology click without a pointer.
  listen(button, "click", (event) => {
    if (event.detail !== 0) return;
    press();
    release();
  });
  const ofSpace = (event) => event.code === "Space" && !event.ctrlKey && !event.altKey && !event.metaKey
    && (event.target === button || !event.target.closest?.(OWN_KEYS));
  listen(document, "keydown", (event) => {
    if (!ofSpace(event)) return;
    event.preventDefault();
    if (!event.repeat) press();
  });
  listen(document, "keyup", (event) => {
    if (!ofSpace(event)) return;
    event.preventDefault();
    release();
  });
  listen(window, "blur", release);
  return button;
}
