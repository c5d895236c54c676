/** The turns of a transcript, drawn in chunks so that hours of them stay quick. */

import {h} from "../lib/dom.js";
import {clock, speaker} from "../lib/i18n.js";
import {lastBegun, wordAround, wordAt} from "./model.js";
import {renameInPlace} from "./people.js";
import {playFrom} from "./dock.js";

const t = speaker({
  en: {turns: "Turns", play: "Play from {at}", pause: "Pause, {at}", rename: "Rename {name}"},
  ru: {turns: "Реплики", play: "Слушать с {at}", pause: "Пауза, {at}", rename: "Переименовать: {name}"},
});

const CHUNK = 40;
const SLICE_MS = 12;
const AFTER_TURN_S = 0.2;
const [BESIDE_TEXT, CHARACTER, LINE] = [280, 8, 26];
const WORD = "transcript-word";
const AIM = "transcript-aim";

/**
 * Make the list.
 * @param {object} options `paragraphs`; `language` of the text; `people`; `player`; `signal`; `onRenamed(name)`
 * @returns {HTMLElement & {range: Function, onWord: Function|null}} `range(paragraph, from, to)`: a part of the text,
 *   drawn by then; `onWord(range)`: set by whoever wants to know what is heard now
 */
export function turnList({paragraphs, language, people, player, signal, onRenamed}) {
  const element = h("div", {class: "transcript-turns", role: "list", "aria-label": t("turns"), on: {
    click: press, pointermove: aim, pointerleave: () => CSS.highlights?.delete(AIM),
  }});
  const rows = [];
  let [heard, word, playing] = [-1, null, -1];
  element.onWord = null;
  drawSome();
  player.addEventListener("time", light, {signal});
  player.addEventListener("change", showPlaying, {signal});
  people.addEventListener("name", () => {
    for (const [index, row] of rows.entries()) showName(row, paragraphs[index].who);
  }, {signal});
  signal.addEventListener("abort", () => [WORD, AIM].forEach((name) => CSS.highlights?.delete(name)), {once: true});

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
  }

  /** How tall they will be, until the browser has laid them out: for the scroll bar. */
  function guessHeight(drawn) {
    const width = element.clientWidth || 360;
    const wide = width > 640;
    const perLine = (wide ? width - BESIDE_TEXT : width) / CHARACTER;
    return drawn.reduce((sum, {text}) => sum + (Math.ceil(text.length / perLine) + (wide ? 0.8 : 2.5)) * LINE, 0);
  }

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

  function showName({name}, who) {
    const called = people.name(who);
    if (name.textContent === called) return;
    name.textContent = called;
    name.title = t("rename", {name: called});
  }

  function drawUpTo(index) {
    while (rows.length <= index) drawChunk();
    return rows[index];
  }

  function press(event) {
    const {play, rename, text} = event.target.closest("[data-play], [data-rename], [data-text]")?.dataset ?? {};
    if (play !== undefined) {
      const {start, end} = paragraphs[play];
      player.toggle(`turn-${play}`, [{start, end: end + AFTER_TURN_S}]);
    } else if (rename !== undefined) {
      renameInPlace(rows[rename].name, {people, who: paragraphs[rename].who, onSaved: onRenamed});
    } else if (text !== undefined && getSelection().isCollapsed) {
      playFrom(player, pointed(event, text)?.start ?? paragraphs[text].start);
    }
  }

  /** The word under the pointer. */
  function pointed({clientX, clientY}, index) {
    const caret = document.caretPositionFromPoint?.(clientX, clientY);
    const range = caret ? null : document.caretRangeFromPoint?.(clientX, clientY);
    const [node, offset] = caret ? [caret.offsetNode, caret.offset] : [range?.startContainer, range?.startOffset];
    return node === rows[index].text ? wordAround(paragraphs[index], offset) : null;
  }

  function aim(event) {
    if (!CSS.highlights) return;
    const index = event.pointerType === "mouse" && event.target.dataset.text;
    const found = index ? pointed(event, index) : null;
    if (found) CSS.highlights.set(AIM, new Highlight(element.range(index, found.from, found.to)));
    else CSS.highlights.delete(AIM);
  }

  /** Light what is heard; only what changes is touched. */
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
    const range = element.range(now, word.from, word.to);
    CSS.highlights.set(WORD, new Highlight(range));
    element.onWord?.(range);
  }

  function showPlaying() {
    const [, index] = /^turn-(\d+)$/.exec(player.playing ?? "") ?? [];
    const now = index === undefined ? -1 : Number(index);
    if (now === playing) return;
    for (const [at, words] of [[playing, "play"], [now, "pause"]]) {
      if (at < 0) continue;
      const {play} = drawUpTo(at);
      play.classList.toggle("is-playing", words === "pause");
      play.setAttribute("aria-label", t(words, {at: clock(paragraphs[at].start)}));
    }
    playing = now;
  }

  element.range = (index, from, to) => {
    const {text} = drawUpTo(index);
    const range = document.createRange();
    range.setStart(text, from);
    range.setEnd(text, to);
    return range;
  };
  return element;
}
