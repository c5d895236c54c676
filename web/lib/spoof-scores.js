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

/** The step of a part's probability, for its colour. */
export const stepOf = (probability) =>
  probability === null ? UNSCORED : STEPS.find(({from}) => probability >= from);

/** How a part's probability is set in the list: class of a colour for text. */
export function toneOf(probability) {
  if (probability > 0.7) return "bad";
  return probability > 0.4 ? "unsure" : "good";
}

/** Class of a badge by verdict. */
export const VERDICT_TONES = {bona_fide: "good", inconclusive: "unsure", spoof: "bad", no_speech: ""};

/** "87 %"; never 0 or 100, since nothing here is certain. */
export function chance(probability) {
  if (probability < 0.005) return `< ${percent(0.01)}`;
  return probability >= 0.995 ? `> ${percent(0.99)}` : percent(probability);
}

/** The same, with as many digits as it takes to be on the right side of the bands. */
export function chanceAgainst(probability, bands) {
  const side = (value) => [bands.bona_fide_below, bands.spoof_from].filter((limit) => value >= limit).length;
  const digits = [0, 1, 2].find((count) => side(Number(probability.toFixed(count + 2))) === side(probability)) ?? 2;
  return digits ? percent(probability, digits) : chance(probability);
}

/** A part's end, where the last one's lies beyond the recording by more than rounding. */
export const endWithin = (end, duration) => duration !== null && end - duration >= 0.25 ? duration : end;
