/** A button that plays some of a recording, and pauses it. */

import {h, icon} from "./dom.js";

/**
 * Make the button.
 * @param {object} options
 * @param {import("./recording-player.js").RecordingPlayer} options.player
 * @param {string} options.name of what it plays, for the player
 * @param {() => import("./types.js").Stretch[]} options.stretches
 * @param {() => string} options.words its label for screen readers
 * @param {() => string} options.pauseWords the same while it plays
 * @param {AbortSignal} options.signal
 */
export function playButton({player, name, stretches, words, pauseWords, signal}) {
  const button = h("button", {type: "button", class: "quiet small icon-only", on: {
    click: () => player.toggle(name, stretches()),
  }}, icon("play"));
  /** @type {boolean|null} */
  let shown = null;
  const update = () => {
    const plays = player.playing === name;
    button.disabled = !player.ready;
    button.setAttribute("aria-label", plays ? pauseWords() : words());
    if (plays !== shown) button.firstChild?.replaceWith(icon(plays ? "pause" : "play"));
    shown = plays;
  };
  player.addEventListener("change", update, {signal});
  update();
  return button;
}
