/**
 * Elements without markup in strings: what a person or a server wrote can only ever become text.
 * @import {Child, IconName, Props, Tagged} from "./types.js"
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 * @template {string} Tag
 * @param {Tag} tag its name; "svg:path" for one of SVG
 * @param {Props} [props] attributes by name; besides: `on` {event: listener}, `data` {name: value}; true and false set and
 *   leave out an attribute, `value`, `checked` and `disabled` are properties
 * @param {...Child} children texts and elements
 * @returns {Tagged<Tag>}
 */
export function h(tag, props = {}, ...children) {
  /** @type {any} */
  const element = tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

/**
 * Put these children in place of an element's own.
 * @template {Element} Filled
 * @param {Filled} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/**
 * Give an element properties of a component. Names of its own, such as `translate`, are refused: assigned to, they would
 * be converted, or ignored.
 * @template {Element} Extended
 * @template {object} Properties
 * @param {Extended} element
 * @param {Properties & {[Name in keyof Properties]: Name extends keyof Extended ? never : Properties[Name]}} properties
 * @returns {Extended & Properties}
 */
export const extend = (element, properties) => Object.assign(element, properties);

/**
 * @param {readonly Child[]} children
 * @returns {Array<Node|string>}
 */
const flat = (children) => /** @type {Child[]} */ (/** @type {any[]} */ (children).flat(Infinity))
  .filter((child) => child !== null && child !== undefined && child !== false)
  .map((child) => child instanceof Node ? child : String(child));

let lastId = 0;

/**
 * Make an id that no other element has, for `for`, `aria-describedby` and their like.
 * @param {string} stem
 */
export const uniqueId = (stem) => `${stem}-${++lastId}`;

/**
 * Move the keyboard to the first element that a selector finds.
 * @param {ParentNode} root
 * @param {string} selector
 * @param {FocusOptions} [options]
 */
export function focusFirst(root, selector, options) {
  const found = root.querySelector(selector);
  if (found instanceof HTMLElement) found.focus(options);
}

/**
 * Make a decorative icon; screen readers skip it.
 * @param {IconName} name
 */
export function icon(name) {
  return h("svg:svg", {class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false"},
    h("svg:path", {d: ICONS[name]}));
}

export const ICONS = {
  voice: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM6 11a6 6 0 0 0 12 0M12 17v4M9 21h6",
  transcript: "M5 4h14v16H5zM8 9h8M8 13h8M8 17h5",
  translate: "M4 6h9M8 4v2M11 6c0 4-3 7-7 8M6 9c1 3 3 4 6 5M13 20l4-10 4 10M14.5 17h5",
  assistant: "M4 5h16v11H10l-5 4v-4H4zM9 10.5h.01M12 10.5h.01M15 10.5h.01",
  avatar: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM5 20c0-4 3-6 7-6s7 2 7 6z",
  history: "M4 12a8 8 0 1 1 3 6.200M4 20v-5h5M12 8v5l3 2",
  system: "M4 13h4l2-7 4 13 2-6h4",
  play: "M8 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  stop: "M7 7h10v10H7z",
  record: "M12 7a5 5 0 1 1 0 10 5 5 0 0 1 0-10z",
  upload: "M12 16V5M7 10l5-5 5 5M5 19h14",
  download: "M12 5v11M7 11l5 5 5-5M5 20h14",
  search: "M11 5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM20 20l-4.5-4.5",
  link: "M10 14a4 4 0 0 1 0-6l2-2a4 4 0 0 1 6 6l-1 1M14 10a4 4 0 0 1 0 6l-2 2a4 4 0 0 1-6-6l1-1",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  close: "M6 6l12 12M18 6L6 18",
  retry: "M19 12a7 7 0 1 1-2-5M19 3v5h-5",
  copy: "M9 9h11v11H9zM6 15H4V4h11v2",
  sound: "M4 10v4h4l5 4V6L8 10zM16 9a4 4 0 0 1 0 6M18.500 6.500a8 8 0 0 1 0 11",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  edit: "M5 19l1-4L16 5l3 3L9 18z",
  swap: "M4 8h14l-4-4M20 16H6l4 4",
  check: "M5 12l5 5 9-10",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
};

/**
 * Load a style sheet of the page once; resolves when it applies, or could not be loaded (the page works without).
 * @param {string} url
 * @returns {Promise<unknown>}
 */
export function loadStyle(url) {
  const known = document.querySelector(`link[href="${CSS.escape(url)}"]`);
  if (known) return Promise.resolve();
  return new Promise((resolve) => document.head.append(
    h("link", {rel: "stylesheet", href: url, on: {load: resolve, error: resolve}}),
  ));
}
