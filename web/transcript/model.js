/** A transcript as it is shown: paragraphs of words with their places in the text and in time. */

const LONG_WORDS = 120;
const SENTENCE_WORDS = 60;
const SENTENCE_END = /[.!?…。！？]["'»”)]*$/;
const HEARD_ON_S = 0.2;

/**
 * Cut a transcript into paragraphs: its turns, the long ones in pieces at the ends of sentences.
 * @param {object} transcript transcript.json
 * @param {(speaker: string) => number} personOf
 * @returns {Array<{start: number, end: number, who: number, text: string, spoken: Array<object>, words: Array|null}>}
 */
export function paragraphsOf(transcript, personOf) {
  return transcript.turns.flatMap((turn) => {
    const who = personOf(turn.speaker);
    if (turn.words.length <= LONG_WORDS) {
      return [{start: turn.start, end: turn.end, who, text: turn.text, spoken: turn.words, words: null}];
    }
    return pieces(turn).map((words) => {
      const [first, last] = [words[0], words.at(-1)];
      return {
        start: first.start, end: last.end, who, text: turn.text.slice(first.from, last.to), spoken: null,
        words: words.map((word) => ({...word, from: word.from - first.from, to: word.to - first.from})),
      };
    });
  });
}

function pieces(turn) {
  const found = [];
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

/** Words with their places (`from`, `to`) in the text; those that it does not have are left out. */
function placed(words, text) {
  let at = 0;
  return words.flatMap(({text: word, start, end}) => {
    const sought = word.trim();
    const from = text.indexOf(sought, at);
    if (!sought || from < 0) return [];
    at = from + sought.length;
    return [{start, end, from, to: at}];
  });
}

/** The words of a paragraph; worked out when they are first asked for. */
export function wordsOf(paragraph) {
  paragraph.words ??= placed(paragraph.spoken, paragraph.text);
  return paragraph.words;
}

/** Index of the last item that has begun at that second; -1 before the first. Items are in order of `start`. */
export function lastBegun(items, seconds) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The word that is heard at that second, if any. */
export function wordAt(paragraph, seconds) {
  const words = wordsOf(paragraph);
  const word = words[lastBegun(words, seconds)];
  return word && seconds < word.end + HEARD_ON_S ? word : null;
}

/** The word at, or before, a place in the text. */
export function wordAround(paragraph, offset) {
  const words = wordsOf(paragraph);
  return words.findLast(({from}) => from <= offset) ?? words[0] ?? null;
}

/** Where a text occurs: [paragraph, from, to], in order. Case, and ё for е, make no difference. */
export function occurrences(paragraphs, sought) {
  const parts = sought.trim().split(/\s+/).filter(Boolean)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&").replace(/[её]/gi, "[её]"));
  if (!parts.length) return [];
  const pattern = new RegExp(parts.join("\\s+"), "giu");
  return paragraphs.flatMap(({text}, index) =>
    [...text.matchAll(pattern)].map((match) => [index, match.index, match.index + match[0].length]));
}
