/** Words of an utterance that is still being said. */

import {h} from "./dom.js";

/**
 * Show recognised words: the stable ones as they are, those that may change yet set apart.
 * @param {string} text
 * @param {string} stable the beginning of the text that does not change any more
 */
export function partialWords(text, stable) {
  const length = text.startsWith(stable) ? stable.length : 0;
  return [text.slice(0, length), h("span", {class: "unstable"}, text.slice(length))];
}
