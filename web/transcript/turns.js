/**
 * The turns of a transcript, drawn in chunks so that hours of them stay quick.
 * @import {Paragraph, PlacedWord} from "./paragraphs.js"
 * @typedef {{item: HTMLElement, play: HTMLElement, name: HTMLElement, text: globalThis.Text}} Row
 * @typedef {ReturnType<typeof turnList>} TurnList
 */

import {extend, h} from "../lib/dom.js";
import {clock, translations} from "../lib/i18n.js";
import {lastBegun, wordAround, wordAt, wordsOf} from "./paragraphs.js";
import {renameInPlace} from "./people.js";
import {playFrom} from "./dock.js";

const t = translations({
  en: {unsure: "Words in a lighter colour are likely wrong: the recogniser gives them less than 50 %.", turns: "Turns", play: "Play from {at}", pause: "Pause, {at}", rename: "Rename {name}"},
  ru: {unsure: "Слова светлее, скорее всего, распознаны неверно: их вероятность ниже 50 %.", turns: "Реплики", play: "Слушать с {at}", pause: "Пауза, {at}", rename: "Переименовать: {name}"},
});

const CHUNK = 40;
const SLICE_MS = 12;
const AFTER_TURN_S = 0.2;
const [BESIDE_TEXT, CHARACTER, LINE] = [280, 8, 26];
const WORD = "transcript-word";
const AIM = "transcript-aim";
const UNSURE = "transcript-unsure";

/**
 * Make the list; `onWord`, where it is set, is called with each word that is heard.
 * @param {object} options
 * @param {Paragraph[]} options.paragraphs
 * @param {string} options.language of the text
 * @param {import("./people.js").People} options.people
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 * @param {(name: string) => void} options.onRenamed
 */
export function turnList({paragraphs, language, people, player, signal, onRenamed}) {
  const legend = h("p", {class: "hint", hidden: true}, t("unsure"));
  const element = extend(h("div", {class: "transcript-turns", role: "list", "aria-label": t("turns"), on: {
    click: press, pointermove: aim, pointerleave: () => CSS.highlights?.delete(AIM),
  }}), {onWord: /** @type {((range: Range) => void)|null} */ (null), range: rangeOf, legend});
  /** @type {Row[]} */
  const rows = [];
  const unsure = CSS.highlights ? new Highlight() : null;
  if (unsure) CSS.highlights.set(UNSURE, unsure);
  let [heard, playing] = [-1, -1];
  /** @type {PlacedWord|null} */
  let word = null;
  drawSome();
  player.addEventListener("time", light, {signal});
  player.addEventListener("change", showPlaying, {signal});
  people.addEventListener("name", () => {
    for (const [index, row] of rows.entries()) showName(row, paragraphs[index].who);
  }, {signal});
  signal.addEventListener("abort", () => [WORD, AIM, UNSURE].forEach((name) => CSS.highlights?.delete(name)), {once: true});

  /** Draw for some milliseconds, then let the browser do what else it has to, then go on. */
  function drawSome() {
    if (signal.aborted) return;
    const until = performance.now() + SLICE_MS;
    while (rows.length < paragraphs.length && performance.now() < until) drawChunk();
    if (rows.length < paragraphs.length) setTimeout(drawSome);
  }

  function drawChunk() {
    const first = rows.length;
    const drawn = paragraphs.slice(first, first + CHUNK).map((paragraph, i) => draw(paragraph, first + i));
    const chunk = h("div", {class: "transcript-chunk"}, drawn.map(({item}) => item));
    chunk.style.containIntrinsicBlockSize = `auto ${guessHeight(drawn)}px`;
    rows.push(...drawn);
    element.append(chunk);
    if (unsure) for (let index = first; index < rows.length; index++) markUnsure(unsure, index);
  }

  /**
   * Set the words apart that are likely wrong.
   * @param {Highlight} marked
   * @param {number} index of the paragraph
   */
  function markUnsure(marked, index) {
    for (const {from, to} of wordsOf(paragraphs[index]).filter((placed) => placed.unsure)) {
      marked.add(rangeOf(index, from, to));
      legend.hidden = false;
    }
  }

  /**
   * Guess the height of rows that the browser has not laid out yet, for the scroll bar.
   * @param {Row[]} drawn
   */
  function guessHeight(drawn) {
    const width = element.clientWidth || 360;
    const wide = width > 640;
    const perLine = (wide ? width - BESIDE_TEXT : width) / CHARACTER;
    return drawn.reduce((sum, {text}) => sum + (Math.ceil(text.length / perLine) + (wide ? 0.8 : 2.5)) * LINE, 0);
  }

  /**
   * @param {Paragraph} paragraph
   * @param {number} index
   * @returns {Row}
   */
  function draw({start, who, text: words}, index) {
    const play = h("button", {
      type: "button", class: "transcript-play", "data-play": index, "aria-label": t("play", {at: clock(start)}),
    }, clock(start));
    const name = h("button", {type: "button", class: "transcript-who", "data-rename": index, tabindex: "-1"});
    const text = document.createTextNode(words);
    const item = h("div", {class: "transcript-turn", role: "listitem"}, play, name,
      h("p", {class: "transcript-text", "data-text": index, lang: language, dir: "auto"}, text));
    item.style.setProperty("--hue", people.hue(who));
    const row = {item, play, name, text};
    showName(row, who);
    return row;
  }

  /**
   * @param {Pick<Row, "name">} row
   * @param {number} who
   */
  function showName({name}, who) {
    const called = people.name(who);
    if (name.textContent === called) return;
    name.textContent = called;
    name.title = t("rename", {name: called});
  }

  /** @param {number} index */
  function drawUpTo(index) {
    while (rows.length <= index) drawChunk();
    return rows[index];
  }

  /** @param {MouseEvent} event */
  function press(event) {
    const pressed = event.target instanceof Element && event.target.closest("[data-play], [data-rename], [data-text]");
    if (!(pressed instanceof HTMLElement)) return;
    const {play, rename, text} = pressed.dataset;
    const index = Number(play ?? rename ?? text);
    const {start, end, who} = paragraphs[index];
    if (play !== undefined) player.toggle(`turn-${play}`, [{start, end: end + AFTER_TURN_S}]);
    else if (rename !== undefined) renameInPlace(rows[index].name, {people, who, onSaved: onRenamed});
    else if (getSelection()?.isCollapsed) playFrom(player, pointed(event, index)?.start ?? start);
  }

  /**
   * Return the word under the pointer.
   * @param {MouseEvent} event
   * @param {number} index of the paragraph
   */
  function pointed({clientX, clientY}, index) {
    const caret = document.caretPositionFromPoint?.(clientX, clientY);
    const range = caret ? null : document.caretRangeFromPoint?.(clientX, clientY);
    const [node, offset] = caret ? [caret.offsetNode, caret.offset] : [range?.startContainer, range?.startOffset];
    return node === rows[index].text ? wordAround(paragraphs[index], offset ?? 0) : null;
  }

  /** @param {PointerEvent} event */
  function aim(event) {
    if (!CSS.highlights) return;
    const text = event.pointerType === "mouse" && event.target instanceof HTMLElement ? event.target.dataset.text : undefined;
    const index = Number(text);
    const found = text === undefined ? null : pointed(event, index);
    if (found) CSS.highlights.set(AIM, new Highlight(rangeOf(index, found.from, found.to)));
    else CSS.highlights.delete(AIM);
  }

  /** Highlight what is heard; only what changes is touched. */
  function light() {
    const {seconds} = player;
    const now = seconds || player.playing ? lastBegun(paragraphs, seconds) : -1;
    if (now !== heard) {
      rows[heard]?.item.removeAttribute("data-heard");
      if (now >= 0) drawUpTo(now).item.setAttribute("data-heard", "");
      heard = now;
    }
    const spoken = now < 0 ? null : wordAt(paragraphs[now], seconds);
    if (spoken === word) return;
    word = spoken;
    if (!CSS.highlights) return;
    if (!word) {
      CSS.highlights.delete(WORD);
      return;
    }
    const range = rangeOf(now, word.from, word.to);
    CSS.highlights.set(WORD, new Highlight(range));
    element.onWord?.(range);
  }

  function showPlaying() {
    const [, index] = /^turn-(\d+)$/.exec(player.playing ?? "") ?? [];
    const now = index === undefined ? -1 : Number(index);
    if (now === playing) return;
    for (const at of [playing, now]) {
      if (at < 0) continue;
      const {play} = drawUpTo(at);
      play.classList.toggle("is-playing", at === now);
      play.setAttribute("aria-label", t(at === now ? "pause" : "play", {at: clock(paragraphs[at].start)}));
    }
    playing = now;
  }

  /**
   * Return a part of the text, after drawing it.
   * @param {number} index of the paragraph
   * @param {number} from
   * @param {number} to
   */
  function rangeOf(index, from, to) {
    const {text} = drawUpTo(index);
    const range = document.createRange();
    range.setStart(text, from);
    range.setEnd(text, to);
    return range;
  }

  return element;
}
