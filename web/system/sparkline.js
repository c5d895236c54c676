/**
 * A small line chart of a number over the last minutes, as far as this page has seen it.
 * @typedef {[ago: number, value: number]} Point `ago` in seconds
 */

import {extend, fill, h} from "../lib/dom.js";

const WIDTH = 120;
const HEIGHT = 28;
const SPAN_S = 180;

/** @type {Map<string, [at: number, value: number][]>} */
const seen = new Map();

/**
 * Remember a part's number as it is now, and return what it was in the last minutes.
 * @param {string} name
 * @param {number} number
 * @returns {Point[]}
 */
export function remember(name, number, now = Date.now()) {
  const past = (seen.get(name) ?? []).filter(([at]) => now - at < SPAN_S * 1000);
  past.push([now, number]);
  seen.set(name, past);
  return past.map(([at, value]) => [(now - at) / 1000, value]);
}

/** Make a chart that `draw(points)` draws. */
export function sparkline() {
  const line = h("svg:path", {class: "system-line"});
  const area = h("svg:path", {class: "system-area"});
  const element = h("svg:svg", {
    class: "system-sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true",
    focusable: "false",
  });
  fill(element, area, line);

  /** @param {Point[]} points */
  function draw(points) {
    const most = Math.max(1, ...points.map(([, value]) => value));
    const at = (/** @type {Point} */ [ago, value]) => [
      (WIDTH * (1 - ago / SPAN_S)).toFixed(1), (HEIGHT - 2 - (HEIGHT - 4) * value / most).toFixed(1),
    ];
    // A number holds until the next is known.
    const steps = points.map((point, i) => {
      const [x, y] = at(point);
      return i === 0 ? `M${x} ${y}` : `H${x}V${y}`;
    }).join("");
    line.setAttribute("d", steps);
    area.setAttribute("d", points.length > 1 ? `${steps}V${HEIGHT}H${at(points[0])[0]}Z` : "");
  }

  return extend(element, {draw});
}
