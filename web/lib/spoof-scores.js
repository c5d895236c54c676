/** What the scores of a voice check mean: steps, verdicts, and how they are written. */

import {percent} from "./i18n.js";

/** A part is suspicious above this. */
export const SUSPICIOUS = 0.25;

const STEPS = [
  {level: "high", from: 0.75, rank: 4},
  {level: "raised", from: 0.5, rank: 3},
  {level: "some", from: 0.25, rank: 2},
  {level: "low", from: 0, rank: 1},
];
const UNSCORED = {level: "unscored", rank: 0};

/**
 * Return the step of a part's probability, for its colour.
 * @param {number|null} probability
 */
export const stepOf = (probability) =>
  probability === null ? UNSCORED : STEPS.find(({from}) => probability >= from) ?? UNSCORED;

/**
 * Return the class of a colour for the text of a part's probability.
 * @param {number} probability
 */
export function toneOf(probability) {
  if (probability > 0.7) return "bad";
  return probability > 0.4 ? "unsure" : "good";
}

/** Class of a badge by verdict. */
export const VERDICT_TONES = {bona_fide: "good", inconclusive: "unsure", spoof: "bad", no_speech: ""};

/**
 * Format a probability: "87 %"; never 0 or 100, since nothing here is certain.
 * @param {number} probability
 */
export function chance(probability) {
  if (probability < 0.005) return `< ${percent(0.01)}`;
  return probability >= 0.995 ? `> ${percent(0.99)}` : percent(probability);
}

/**
 * Format it with as many digits as it takes to be on the right side of the bands.
 * @param {number} probability
 * @param {import("./types.js").SpoofBands} bands
 */
export function chanceAgainst(probability, bands) {
  const side = (/** @type {number} */ value) => [bands.bona_fide_below, bands.spoof_from].filter((limit) => value >= limit).length;
  const digits = [0, 1, 2].find((count) => side(Number(probability.toFixed(count + 2))) === side(probability)) ?? 2;
  return digits ? percent(probability, digits) : chance(probability);
}

/**
 * Return a part's end; that of the recording where the part's lies beyond it by more than rounding.
 * @param {number} end seconds
 * @param {number|null} duration of the recording
 */
export const endWithin = (end, duration) => duration !== null && end - duration >= 0.25 ? duration : end;
