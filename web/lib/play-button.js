/** A button that plays some of a recording, and pauses it. */

import {h, icon} from "./dom.js";

/**
 * Make it.
 * @param {object} options `player`; `name` of what it plays; `stretches()`, where that is; `words()` and
 *   `pauseWords()`, what the button says to screen readers; `signal`
 */
export function playButton({player, name, stretches, words, pauseWords, signal}) {
  const button = h("button", {type: "button", class: "quiet small icon-only", on: {
    click: () => player.toggle(name, stretches()),
  }}, icon("play"));
  let shown = null;
  const update = () => {
    const plays = player.playing === name;
    button.disabled = !player.ready;
    button.setAttribute("aria-label", plays ? pauseWords() : words());
    if (plays !== shown) button.firstChild.replaceWith(icon(plays ? "pause" : "play"));
    shown = plays;
  };
  player.addEventListener("change", update, {signal});
  update();
  return button;
}
