/**
 * The bar below a transcript that stays in view: the player of the whole recording, and the search.
 * @import {Paragraph} from "./paragraphs.js"
 * @import {TurnList} from "./turns.js"
 */

import {fill, h, icon} from "../lib/dom.js";
import {clock, locale, translations} from "../lib/i18n.js";
import {WHOLE} from "../lib/recording-player.js";
import {tryAgain} from "../lib/try-again.js";
import {searchField} from "./search.js";

const t = translations({
  en: {
    player: "Player and search", play: "Play", pause: "Pause", place: "Place in the recording", of: "{at} of {whole}",
    follow: "Follow along", speed: "Speed", loading: "Loading the sound…",
  },
  ru: {
    player: "Проигрыватель и поиск", play: "Слушать", pause: "Пауза", place: "Место в записи", of: "{at} из {whole}",
    follow: "Следить за текстом", speed: "Скорость", loading: "Звук загружается…",
  },
});

/** @type {Record<string, number>} seconds by key */
const JUMPS = {ArrowRight: 5, ArrowUp: 5, ArrowLeft: -5, ArrowDown: -5};
const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
const SCROLL_KEYS = new Set(["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown"]);
const HANDS_OFF_MS = 4000;

/**
 * Play the whole recording from a second of it.
 * @param {import("../lib/recording-player.js").RecordingPlayer} player
 * @param {number} seconds
 */
export function playFrom(player, seconds) {
  player.seek(seconds);
  if (player.playing !== WHOLE) player.toggle(WHOLE);
}

/**
 * Make the dock.
 * @param {object} options
 * @param {number} options.duration of the recording, seconds
 * @param {Paragraph[]} options.paragraphs
 * @param {TurnList} options.list
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 */
export function dock({duration, paragraphs, list, player, signal}) {
  // The button also pauses a turn or a speaker that plays.
  const play = h("button", {type: "button", class: "icon-only", on: {
    click: () => player.playing === null ? player.toggle(WHOLE) : player.pause(),
  }}, icon("play"));
  const time = h("span", {class: "numbers"});
  const place = h("input", {
    type: "range", min: "0", max: String(duration), step: "any", value: "0", "aria-label": t("place"), on: {
      input: () => go(Number(place.value)),
      keydown: (event) => {
        const by = JUMPS[event.key];
        if (!by) return;
        event.preventDefault();
        go(Math.min(duration, Math.max(0, player.seconds + by)));
      },
    },
  });
  const speed = h("select", {"aria-label": t("speed"), class: "transcript-speed", on: {
    change: () => { player.rate = Number(speed.value); },
  }}, SPEEDS.map((rate) => h("option", {value: rate, selected: rate === 1}, `${rate.toLocaleString(locale())}×`)));
  const follow = h("input", {type: "checkbox", checked: true});
  const problem = h("div", {class: "row transcript-sound", role: "status"});
  let second = -1;

  /** @param {number} seconds */
  function go(seconds) {
    // A jump is in the whole recording, not in the turn that played.
    if (player.playing && player.playing !== WHOLE) player.toggle(WHOLE);
    player.seek(seconds);
    tellPlace();
  }

  const tellPlace = () =>
    place.setAttribute("aria-valuetext", t("of", {at: clock(player.seconds), whole: clock(duration)}));

  function onTime() {
    place.value = String(player.seconds);
    if (Math.floor(player.seconds) === second) return;
    second = Math.floor(player.seconds);
    fill(time, clock(second), h("span", {class: "transcript-whole"}, ` / ${clock(duration)}`));
  }

  function onChange() {
    const plays = player.playing !== null;
    play.disabled = place.disabled = !player.ready;
    play.setAttribute("aria-label", t(plays ? "pause" : "play"));
    play.firstChild?.replaceWith(icon(plays ? "pause" : "play"));
    problem.hidden = player.ready;
    if (player.ready) fill(problem);
    else if (player.problem) {
      fill(problem, h("span", {class: "hint"}, player.problem),
        tryAgain(() => player.load(), "quiet small"));
    } else fill(problem, h("span", {class: "hint"}, t("loading")));
    if (plays) return;
    onTime();
    tellPlace();
  }

  player.addEventListener("time", onTime, {signal});
  player.addEventListener("change", onChange, {signal});
  onTime();
  onChange();

  // After scrolling by hand the text is left alone for a moment.
  let touched = -Infinity;
  for (const kind of /** @type {const} */ (["wheel", "touchmove", "keydown"])) {
    addEventListener(kind, (event) => {
      if (!(event instanceof KeyboardEvent) || SCROLL_KEYS.has(event.key)) touched = performance.now();
    }, {signal, passive: true});
  }
  list.onWord = (range) => {
    if (follow.checked && player.playing && performance.now() - touched > HANDS_OFF_MS) reveal(range);
  };

  const element = h("section", {class: "transcript-dock", "aria-label": t("player")},
    problem,
    h("div", {class: "transcript-player"}, play, place, time, speed),
    paragraphs.length ? h("div", {class: "transcript-tools"},
      searchField({paragraphs, list, reveal, signal}),
      h("label", {class: "choice"}, follow, h("span", {}, t("follow")))) : null);

  /**
   * Scroll so that a part of the text is well in view, if it is not.
   * @param {Range} range
   */
  function reveal(range, again = true) {
    const box = range.getBoundingClientRect();
    const [top, bottom] = [innerHeight * 0.12, element.getBoundingClientRect().top];
    if (box.top >= top && box.bottom <= bottom - 8) return;
    const by = box.top - top - (bottom - top) * 0.25;
    const far = Math.abs(by) > innerHeight * 1.5;
    const still = far || matchMedia("(prefers-reduced-motion: reduce)").matches;
    scrollBy({top: by, behavior: still ? "instant" : "smooth"});
    // The height of what lay far away was a guess until now.
    if (far && again) requestAnimationFrame(() => reveal(range, false));
  }

  return element;
}
