/** The button that is held to talk: by pointer, by the space bar, or pressed twice where it can't be held. */

import {extend, fill, h, icon} from "../lib/dom.js";
import {t} from "./words.js";

/** A shorter press latches the button until the next press. */
const TAP_MS = 350;
const OWN_KEYS = "input, textarea, select, button, a, summary, [contenteditable]";

/**
 * Make the button.
 * @param {object} options
 * @param {() => boolean} options.onBegin returns false where talking is not to begin
 * @param {() => void} options.onEnd
 * @param {() => void} options.onChange
 * @param {AbortSignal} options.signal
 */
export function talkButton({onBegin, onEnd, onChange, signal}) {
  const label = h("span", {}, t("talk"));
  const button = extend(
    h("button", {type: "button", class: "assistant-talk", "aria-pressed": "false"}, icon("voice"), label),
    {talking: false, latched: false, reset, show});
  let since = 0;

  function press() {
    if (button.talking) {
      if (button.latched) end();
      return;
    }
    if (!onBegin()) return;
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
    reset();
    onEnd();
  }

  function reset() {
    button.talking = button.latched = false;
    onChange();
  }

  /**
   * @param {boolean} on
   * @param {boolean} free hands-free: the button turns the microphone off
   */
  function show(on, free) {
    button.setAttribute("aria-pressed", String(on));
    const name = t(free ? "talk_off" : "talk");
    button.setAttribute("aria-label", name);
    button.title = name;
    fill(label, t("talk"));
    label.hidden = free;
  }

  button.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    try {
      button.setPointerCapture(event.pointerId);
    } catch { /* The pointer is gone already: its release comes anyhow. */ }
    press();
  }, {signal});
  button.addEventListener("pointerup", release, {signal});
  button.addEventListener("pointercancel", release, {signal});
  button.addEventListener("contextmenu", (event) => event.preventDefault(), {signal});
  // Enter and assistive technology click without a pointer.
  button.addEventListener("click", (event) => {
    if (event.detail !== 0) return;
    press();
    release();
  }, {signal});
  const ofSpace = (/** @type {KeyboardEvent} */ {code, ctrlKey, altKey, metaKey, target}) =>
    code === "Space" && !ctrlKey && !altKey && !metaKey
    && (target === button || !(target instanceof Element && target.closest(OWN_KEYS)));
  document.addEventListener("keydown", (event) => {
    if (!ofSpace(event)) return;
    event.preventDefault();
    if (!event.repeat) press();
  }, {signal});
  document.addEventListener("keyup", (event) => {
    if (!ofSpace(event)) return;
    event.preventDefault();
    release();
  }, {signal});
  addEventListener("blur", release, {signal});
  return button;
}
