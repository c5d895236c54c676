/**
 * A transcript as it is shown: paragraphs of words with their places in the text and in time.
 * @import {Stretch, Transcript, TranscriptTurn, TranscriptWord} from "../lib/types.js"
 * @typedef {Stretch & {from: number, to: number, unsure: boolean}} PlacedWord `from`, `to`: its place in the text;
 *   `unsure`: the recogniser takes it for wrong rather than right
 * @typedef {Stretch & {who: number, text: string, spoken: TranscriptWord[], words: PlacedWord[]|null}} Paragraph
 *   `who`: index of the person; `words`: null until wordsOf() has placed those that are `spoken`
 */

const LONG_WORDS = 120;
const SENTENCE_WORDS = 60;
const SENTENCE_END = /[.!?…。！？]["'»”)]*$/;
const HEARD_ON_S = 0.2;
const LIKELY = 0.5;

/**
 * Cut a transcript into paragraphs: its turns, the long ones in pieces at the ends of sentences.
 * @param {Transcript} transcript
 * @param {(speaker: string) => number} personOf
 * @returns {Paragraph[]}
 */
export function paragraphsOf(transcript, personOf) {
  return transcript.turns.flatMap(/** @returns {Paragraph[]} */ (turn) => {
    const who = personOf(turn.speaker);
    if (turn.words.length <= LONG_WORDS) {
      return [{start: turn.start, end: turn.end, who, text: turn.text, spoken: turn.words, words: null}];
    }
    return pieces(turn).map((words) => {
      const [first, last] = [words[0], words[words.length - 1]];
      return {
        start: first.start, end: last.end, who, text: turn.text.slice(first.from, last.to), spoken: [],
        words: words.map((word) => ({...word, from: word.from - first.from, to: word.to - first.from})),
      };
    });
  });
}

/** @param {TranscriptTurn} turn */
function pieces(turn) {
  /** @type {PlacedWord[][]} */
  const found = [];
  /** @type {PlacedWord[]} */
  let piece = [];
  for (const word of placed(turn.words, turn.text)) {
    piece.push(word);
    const full = piece.length >= LONG_WORDS;
    if (full || (piece.length >= SENTENCE_WORDS && SENTENCE_END.test(turn.text.slice(word.from, word.to)))) {
      found.push(piece);
      piece = [];
    }
  }
  if (piece.length) found.push(piece);
  return found;
}

/**
 * Find the places of words in a text; words that it does not have are left out.
 * @param {TranscriptWord[]} words
 * @param {string} text
 * @returns {PlacedWord[]}
 */
function placed(words, text) {
  let at = 0;
  return words.flatMap(({text: word, start, end, probability}) => {
    const sought = word.trim();
    const from = text.indexOf(sought, at);
    if (!sought || from < 0) return [];
    at = from + sought.length;
    return [{start, end, from, to: at, unsure: (probability ?? 1) < LIKELY}];
  });
}

/**
 * Return the words of a paragraph; they are placed when they are first asked for.
 * @param {Paragraph} paragraph
 */
export function wordsOf(paragraph) {
  paragraph.words ??= placed(paragraph.spoken, paragraph.text);
  return paragraph.words;
}

/**
 * Return the index of the last item that has begun at a second; -1 before the first.
 * @param {Stretch[]} items in order of `start`
 * @param {number} seconds
 */
export function lastBegun(items, seconds) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/**
 * Return the word that is heard at a second; null for none.
 * @param {Paragraph} paragraph
 * @param {number} seconds
 */
export function wordAt(paragraph, seconds) {
  const words = wordsOf(paragraph);
  const word = words[lastBegun(words, seconds)];
  return word && seconds < word.end + HEARD_ON_S ? word : null;
}

/**
 * Return the word at, or before, a place in the text.
 * @param {Paragraph} paragraph
 * @param {number} offset
 */
export function wordAround(paragraph, offset) {
  const words = wordsOf(paragraph);
  return words.findLast(({from}) => from <= offset) ?? words[0] ?? null;
}

/**
 * Find where a text occurs, in order. Case, and ё for е, make no difference.
 * @param {Paragraph[]} paragraphs
 * @param {string} sought
 * @returns {[paragraph: number, from: number, to: number][]}
 */
export function occurrences(paragraphs, sought) {
  const parts = sought.trim().split(/\s+/).filter(Boolean)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&").replace(/[её]/gi, "[её]"));
  if (!parts.length) return [];
  const pattern = new RegExp(parts.join("\\s+"), "giu");
  return paragraphs.flatMap(({text}, index) => [...text.matchAll(pattern)].map((match) =>
    /** @type {[number, number, number]} */ ([index, match.index, match.index + match[0].length])));
}
