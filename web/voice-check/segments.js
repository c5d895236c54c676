/**
 * The suspicious parts of a recording, each to be heard by itself.
 * @import {SpoofReport, Stretch} from "../lib/types.js"
 * @typedef {Stretch & {index: number, p_spoof: number}} Part
 */

import {fill, h} from "../lib/dom.js";
import {clock, percent, translations} from "../lib/i18n.js";
import {playButton} from "../lib/play-button.js";
import {chance, endWithin, stepOf, SUSPICIOUS, toneOf} from "../lib/spoof-scores.js";

const t = translations({
  en: {
    title: "Suspicious parts: {n}",
    what: "Parts above {limit}, numbered as they follow in the recording.",
    none: "No part is above {limit}.", nothing: "No part could be judged.",
    order: "Order", by_time: "as in the recording", by_chance: "most suspicious first",
    number: "No. {index}", play: "Play part {index}, {from} to {to}", pause: "Pause part {index}",
    more: "Show more ({rest})",
  },
  ru: {
    title: "Подозрительные фрагменты: {n}",
    what: "Фрагменты, где больше {limit}; номера — по порядку в записи.",
    none: "Фрагментов, где больше {limit}, нет.", nothing: "Ни один фрагмент оценить не удалось.",
    order: "Порядок", by_time: "как в записи", by_chance: "сначала самые подозрительные",
    number: "№ {index}", play: "Слушать фрагмент {index}, {from} – {to}", pause: "Пауза: фрагмент {index}",
    more: "Показать ещё ({rest})",
  },
});

const PAGE = 20;
const WORTH_SORTING = 10;

/**
 * Format the times of a part: "1:04–1:08".
 * @param {Stretch} part
 */
const span = (part) => `${clock(part.start)}–${clock(part.end)}`;

/**
 * Make the list of suspicious parts.
 * @param {object} options
 * @param {SpoofReport} options.report
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 */
export function segments({report, player, signal}) {
  const {chunks, duration} = report;
  /** @type {Part[]} */
  const suspicious = chunks.flatMap(({start, end, p_spoof}, index) => p_spoof === null || p_spoof <= SUSPICIOUS ? []
    : [{start, end: index === chunks.length - 1 ? endWithin(end, duration) : end, p_spoof, index}]);
  const limit = percent(SUSPICIOUS);
  const title = t("title", {n: suspicious.length});
  if (!suspicious.length) {
    const scored = chunks.some((chunk) => chunk.p_spoof !== null);
    return h("section", {class: "card", "aria-label": title}, h("h2", {}, title),
      h("p", {}, scored ? t("none", {limit}) : t("nothing")));
  }
  const list = h("ol", {class: "vc-segments", "aria-label": title});
  const more = h("button", {type: "button", class: "quiet", on: {click: () => {
    const first = showMore();
    // Its button may wait for the sound yet.
    first.tabIndex = -1;
    first.focus();
  }}});
  /** @type {Map<number, {item: HTMLElement, part: Part}>} */
  const rows = new Map();
  let ordered = suspicious;
  /** @type {{item: HTMLElement, part: Part}|null|undefined} */
  let played = null;
  let page = new AbortController();

  /** @param {Part} part */
  function row(part) {
    const playing = `part-${part.index}`;
    const item = h("li", {class: `vc-segment vc-${stepOf(part.p_spoof).level}`},
      playButton({
        player, name: playing, signal: AbortSignal.any([signal, page.signal]),
        stretches: () => [{start: part.start, end: endWithin(part.end, player.duration)}],
        words: () => t("play", {index: part.index + 1, from: clock(part.start), to: clock(part.end)}),
        pauseWords: () => t("pause", {index: part.index + 1}),
      }),
      h("span", {}, t("number", {index: part.index + 1})), h("span", {class: "numbers hint"}, span(part)),
      h("strong", {class: `numbers vc-tone ${toneOf(part.p_spoof)}`}, chance(part.p_spoof)));
    rows.set(part.index, {item, part});
    return item;
  }

  function showMore() {
    const items = ordered.slice(rows.size, rows.size + PAGE).map(row);
    list.append(...items);
    const rest = ordered.length - rows.size;
    more.hidden = rest === 0;
    fill(more, t("more", {rest}));
    return items[0];
  }

  /** @param {boolean} byChance */
  function sort(byChance) {
    ordered = byChance ? [...suspicious].sort((a, b) => b.p_spoof - a.p_spoof) : suspicious;
    page.abort();
    page = new AbortController();
    rows.clear();
    fill(list);
    showMore();
  }

  player.addEventListener("time", () => {
    const seconds = player.seconds;
    const index = chunks.findIndex((chunk) => seconds < chunk.end);
    const now = player.playing ? rows.get(index) : null;
    if (played !== now) played?.item.style.removeProperty("--played");
    played = now;
    now?.item.style.setProperty("--played", String((seconds - now.part.start) / (now.part.end - now.part.start)));
  }, {signal});
  player.addEventListener("change", () => {
    if (player.playing) return;
    played?.item.style.removeProperty("--played");
    played = null;
  }, {signal});

  showMore();
  const order = h("select", {on: {change: () => sort(order.value === "chance")}},
    h("option", {value: "time"}, t("by_time")), h("option", {value: "chance"}, t("by_chance")));
  return h("section", {class: "card", "aria-label": title}, h("h2", {}, title),
    h("div", {class: "row spread"}, h("p", {class: "hint"}, t("what", {limit})),
      suspicious.length > WORTH_SORTING ? h("label", {class: "choice"}, h("span", {}, t("order")), order) : null),
    list, more);
}
