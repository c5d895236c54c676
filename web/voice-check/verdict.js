/**
 * The verdict on a recording: a sentence, its place on the scale, its meaning and its limits.
 * @import {Child, SpoofBands, SpoofReport} from "../lib/types.js"
 * @typedef {{low: string, high: string}} BandLimits formatted
 */

import {h, icon, uniqueId} from "../lib/dom.js";
import {duration, percent, translations} from "../lib/i18n.js";
import {chanceAgainst, VERDICT_TONES} from "../lib/spoof-scores.js";

const t = translations({
  en: {
    bona_fide: "The voice is probably genuine", inconclusive: "The voice has some signs of being machine-made",
    spoof: "The voice was probably made by AI", no_speech: "There is no speech to judge",
    probability: "Probability that a machine made the voice:",
    bona_fide_means: "It lies below {low}, where the detector takes voices for genuine.",
    inconclusive_means: "It lies between {low} and {high}, where the detector can't tell. A better recording may help.",
    spoof_means: "It lies at {high} or above, where the detector takes voices for machine-made.",
    no_speech_means: "Choose a recording with a few seconds of speech, or record closer to the microphone.",
    but_parts: "There are parts at {high} or above: listen to them.",
    but_speakers: "There is a speaker who sounds machine-made: see below.",
    scale: "{chance} on a scale from 0 to 100 %",
    genuine: "genuine: below {low}", unclear: "unclear: {low} to {high}", machine: "machine-made: from {high}",
    basis: "Heard: {speech} of speech in {whole}. Detector: {engine}.",
    trust: "How far can this be trusted?",
    limit_hint: "It is a hint, never a proof. Genuine voices are sometimes taken for a machine's, and good new " +
      "machine voices for genuine.",
    limit_sound: "Strong compression, telephone sound, noise, echo and music make it less sure.",
    limit_helps: "What helps: the original file rather than a copy from a messenger, half a minute of clear speech, " +
      "and judging every speaker where several speak.",
    limit_ask: "Before you act on it, ask the person by another way.",
  },
  ru: {
    bona_fide: "Голос, вероятно, подлинный", inconclusive: "Голос имеет некоторые признаки генерации",
    spoof: "Голос, вероятно, сгенерирован ИИ", no_speech: "Речи нет — оценивать нечего",
    probability: "Вероятность того, что голос создан машиной:",
    bona_fide_means: "Это ниже {low}: такие голоса детектор считает подлинными.",
    inconclusive_means: "Это между {low} и {high}: здесь детектор не может решить. Может помочь запись получше.",
    spoof_means: "Это {high} или выше: такие голоса детектор считает машинными.",
    no_speech_means: "Выберите запись, где говорят хотя бы несколько секунд, или говорите ближе к микрофону.",
    but_parts: "Есть фрагменты, где {high} или больше: послушайте их.",
    but_speakers: "Есть говорящий, чей голос похож на машинный: см. ниже.",
    scale: "{chance} на шкале от 0 до 100 %",
    genuine: "подлинный: ниже {low}", unclear: "неясно: от {low} до {high}", machine: "машинный: от {high}",
    basis: "Услышано: {speech} речи за {whole}. Детектор: {engine}.",
    trust: "Насколько этому можно верить?",
    limit_hint: "Это подсказка, а не доказательство. Подлинные голоса иногда принимаются за машинные, а хорошие " +
      "новые машинные — за подлинные.",
    limit_sound: "Сильное сжатие, телефонный звук, шум, эхо и музыка снижают точность.",
    limit_helps: "Что помогает: исходный файл, а не копия из мессенджера; полминуты ясной речи; оценка каждого " +
      "говорящего, если их несколько.",
    limit_ask: "Прежде чем действовать, свяжитесь с человеком другим способом.",
  },
});

const BANDS = /** @type {const} */ (["genuine", "unclear", "machine"]);
const ICONS = /** @type {const} */ (
  {bona_fide: "check", inconclusive: "warning", spoof: "warning", no_speech: "voice"});
const TRUST = /** @type {const} */ (["limit_hint", "limit_sound", "limit_helps", "limit_ask"]);

/**
 * Make the card of the verdict.
 * @param {{report: SpoofReport, actions: Child[], name: string|null}} options
 */
export function verdictCard({report, actions, name}) {
  const {verdict} = report;
  const heading = h("h2", {tabindex: "-1", id: uniqueId("verdict"), class: `vc-verdict ${VERDICT_TONES[verdict]}`},
    icon(ICONS[verdict]), h("span", {}, t(verdict)));
  const card = h("section", {class: "card", "aria-labelledby": heading.id},
    name ? h("p", {class: "hint vc-name"}, name) : null, heading,
    report.p_spoof === null || !report.bands
      ? h("p", {}, t("no_speech_means")) : explained(report, report.p_spoof, report.bands),
    h("details", {class: "vc-trust"}, h("summary", {}, t("trust")), h("ul", {},
      TRUST.map((words) => h("li", {}, t(words))))),
    h("div", {class: "row"}, actions));
  return {card, heading};
}

/**
 * @param {SpoofReport} report
 * @param {number} probability
 * @param {SpoofBands} bands
 */
function explained(report, probability, bands) {
  const limits = {low: percent(bands.bona_fide_below, 2), high: percent(bands.spoof_from, 2)};
  const chance = chanceAgainst(probability, bands);
  return [
    h("p", {}, t("probability"), " ", h("strong", {class: "numbers"}, chance)),
    scale(probability, bands, chance, limits),
    h("p", {}, t(`${report.verdict}_means`, limits)),
    exceptions(report, bands, limits),
    h("p", {class: "hint"}, t("basis", {
      speech: duration(report.speech_seconds), whole: duration(report.duration), engine: report.engine,
    })),
  ];
}

/**
 * Point at suspicious parts and speakers, which a mean over the recording hides.
 * @param {SpoofReport} report
 * @param {SpoofBands} bands
 * @param {BandLimits} limits
 */
function exceptions({verdict, chunks, speakers}, bands, limits) {
  if (verdict === "spoof") return null;
  const parts = chunks.some((chunk) => chunk.p_spoof !== null && chunk.p_spoof >= bands.spoof_from);
  const voices = speakers?.some((one) => one.verdict === "spoof");
  return parts || voices
    ? h("p", {class: "notice"}, parts && t("but_parts", limits), " ", voices && t("but_speakers")) : null;
}

/**
 * @param {number} probability
 * @param {SpoofBands} bands
 * @param {string} chance the probability, formatted
 * @param {BandLimits} limits
 */
function scale(probability, bands, chance, limits) {
  const bar = h("div", {class: "vc-bands"}, BANDS.map((band) => h("span", {class: `vc-${band}`})));
  const widths = [bands.bona_fide_below, bands.spoof_from - bands.bona_fide_below, 1 - bands.spoof_from];
  bar.style.gridTemplateColumns = widths.map((width) => `${width}fr`).join(" ");
  const marker = h("div", {class: "vc-marker"}, h("span", {class: "vc-marker-label numbers"}, chance));
  marker.style.setProperty("--at", String(probability));
  return h("div", {class: "vc-scale"},
    h("div", {class: "vc-track", role: "img", "aria-label": t("scale", {chance})}, marker, bar,
      h("div", {class: "below"}, h("span", {}, percent(0)), h("span", {}, percent(1)))),
    h("ul", {class: "vc-legend hint"}, BANDS.map((band) =>
      h("li", {}, h("span", {class: `vc-swatch vc-${band}`}), t(band, limits)))));
}
