/**
 * The shape of a sound over time, coloured by parts; parts are chosen by pointer or by keys.
 * @import {Stretch} from "./types.js"
 * @typedef {Stretch & {level: string, rank: number, label: () => string, text: () => string}} Part
 *   `level` names a custom property `--waveform-LEVEL`, its colour; where several parts share a column, the highest
 *   `rank` is seen; `label()` is written above where there is room, `text()` is for screen readers
 * @typedef {object} Shown
 * @property {number} duration
 * @property {Part[]} parts they follow one another
 * @property {number[]|null} peaks 0 to 100; without them the shape is flat
 * @property {number} secondsPerPoint
 */

import {extend, h} from "./dom.js";

const BAR = 2;
const COLUMN = 3;
const FLAT = 0.3;
const LABELS_ABOVE = 20;
const LABEL_FONT = 12;

/**
 * Make a waveform; without `controls` it is a picture only.
 * @param {object} options
 * @param {string} options.label
 * @param {AbortSignal} options.signal ends it
 * @param {object} [options.controls]
 * @param {(seconds: number) => void} options.controls.onPoint a click or a tap
 * @param {(index: number|null) => void} options.controls.onHover the part under the pointer
 * @param {(index: number) => void} options.controls.onMove another part is chosen by arrows, Page Up and Down, Home, End
 * @param {(index: number) => void} options.controls.onPlay Enter on a part
 * @param {() => void} options.controls.onToggle the space bar
 * @param {() => number} options.controls.current index of the part from which the keys move
 */
export function waveform({label, signal, controls}) {
  const canvas = h("canvas", {"aria-hidden": "true"});
  const needle = h("div", {class: "waveform-cursor", hidden: true});
  const frame = h("div", {class: "waveform-part", hidden: true});
  const element = h("div", {class: "waveform", role: "img", "aria-label": label}, frame, canvas, needle);
  /** @type {Shown} */
  let shown = {duration: 0, parts: [], peaks: null, secondsPerPoint: 1};
  let scheduled = 0;

  const observer = new ResizeObserver(draw);
  observer.observe(canvas);
  // A window on another screen has other pixels.
  addEventListener("resize", schedule, {signal});
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", schedule, {signal});
  signal.addEventListener("abort", () => {
    observer.disconnect();
    cancelAnimationFrame(scheduled);
  }, {once: true});

  function schedule() {
    scheduled ||= requestAnimationFrame(draw);
  }

  function draw() {
    cancelAnimationFrame(scheduled);
    scheduled = 0;
    const {clientWidth: width, clientHeight: height} = canvas;
    if (!width || !shown.duration) return;
    canvas.width = Math.round(width * devicePixelRatio);
    canvas.height = Math.round(height * devicePixelRatio);
    const style = getComputedStyle(element);
    const colours = new Map();
    const colourOf = (/** @type {string} */ level) => {
      if (!colours.has(level)) colours.set(level, style.getPropertyValue(`--waveform-${level}`));
      return colours.get(level);
    };
    const context = canvas.getContext("2d");
    if (!context) return;
    context.scale(canvas.width / width, canvas.height / height);
    context.font = `600 ${LABEL_FONT}px ${style.fontFamily}`;
    context.textAlign = "center";
    const place = (/** @type {Stretch} */ {start, end}) => [start, end].map((at) => at / shown.duration * width);
    const fits = (/** @type {{part: Part, words: string}} */ {part, words}) => {
      const [left, right] = place(part);
      return context.measureText(words).width + 4 < right - left;
    };
    const wide = shown.parts.length * COLUMN * 4 < width;
    const labelled = wide ? shown.parts.map((part) => ({part, words: part.label()})).filter(fits) : [];
    const above = labelled.length ? LABELS_ABOVE : 0;
    const body = height - above;
    const middle = above + body / 2;
    const loudest = Math.max(10, ...shown.peaks ?? []);
    let first = 0;
    for (let x = 0; x < width; x += COLUMN) {
      const [from, to] = [x, x + COLUMN].map((at) => at / width * shown.duration);
      while (first < shown.parts.length && shown.parts[first].end <= from) first++;
      const part = highest(first, to);
      if (!part) continue;
      context.fillStyle = colourOf(part.level);
      context.globalAlpha = 0.13;
      context.fillRect(x, above, COLUMN, body);
      context.globalAlpha = 1;
      const tall = Math.max(2, (shown.peaks ? loudestIn(from, to) / loudest : FLAT) * (body - 4));
      context.fillRect(x, middle - tall / 2, BAR, tall);
    }
    context.fillStyle = style.color;
    for (const {part, words} of labelled) {
      const [left, right] = place(part);
      context.clearRect(Math.round(right) - 1, above, 1, body);
      context.fillText(words, (left + right) / 2, above - 6);
    }
  }

  /**
   * @param {number} first index of a part
   * @param {number} before seconds
   */
  function highest(first, before) {
    /** @type {Part|null} */
    let found = null;
    for (let i = first; i < shown.parts.length && shown.parts[i].start < before; i++) {
      if (!found || shown.parts[i].rank > found.rank) found = shown.parts[i];
    }
    return found;
  }

  /**
   * @param {number} from seconds
   * @param {number} to seconds
   */
  function loudestIn(from, to) {
    const begin = Math.floor(from / shown.secondsPerPoint);
    const end = Math.max(begin + 1, Math.ceil(to / shown.secondsPerPoint));
    return Math.max(0, ...(shown.peaks ?? []).slice(begin, end));
  }

  const secondsAt = (/** @type {MouseEvent} */ event) => {
    const {left, width} = canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width)) * shown.duration;
  };
  const indexAt = (/** @type {number} */ seconds) => {
    const found = shown.parts.findIndex((part) => seconds < part.end);
    return found < 0 ? shown.parts.length - 1 : found;
  };

  /**
   * @param {KeyboardEvent} event
   * @param {NonNullable<typeof controls>} told
   */
  function press(event, {current, onMove, onPlay, onToggle}) {
    const last = shown.parts.length - 1;
    const at = current();
    /** @type {Record<string, number>} */
    const targets = {
      ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1,
      PageUp: at + 10, PageDown: at - 10, Home: 0, End: last,
    };
    const target = targets[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (target !== undefined) onMove(Math.min(last, Math.max(0, target)));
    else if (event.key === "Enter") onPlay(at);
    else if (event.key === " ") onToggle();
    else return;
    event.preventDefault();
  }

  /** @param {Partial<Shown>} what is shown from now on; the rest stays */
  function show(what) {
    shown = {...shown, ...what};
    if (controls && shown.parts.length) {
      element.tabIndex = 0;
      element.setAttribute("role", "slider");
      element.setAttribute("aria-valuemin", "1");
      element.setAttribute("aria-valuemax", String(shown.parts.length));
      choose(0, {mark: false});
    }
    schedule();
  }

  /** @param {number} seconds */
  function cursor(seconds) {
    needle.hidden = false;
    needle.style.insetInlineStart = `${Math.min(100, seconds / shown.duration * 100)}%`;
  }

  /**
   * Mark a part, and `tell` it to assistive technology.
   * @param {number} index
   */
  function choose(index, {tell = true, mark = true} = {}) {
    const part = shown.parts[index];
    if (!part) return;
    frame.hidden = !mark;
    frame.style.insetInlineStart = `${part.start / shown.duration * 100}%`;
    frame.style.inlineSize = `${(part.end - part.start) / shown.duration * 100}%`;
    if (!tell) return;
    element.setAttribute("aria-valuenow", String(index + 1));
    element.setAttribute("aria-valuetext", part.text());
  }

  if (controls) {
    element.addEventListener("keydown", (event) => press(event, controls));
    element.addEventListener("click", (event) => controls.onPoint(secondsAt(event)));
    element.addEventListener("pointermove", (event) => controls.onHover(indexAt(secondsAt(event))));
    element.addEventListener("pointerleave", () => controls.onHover(null));
  }
  return extend(element, {show, cursor, choose, indexAt});
}
