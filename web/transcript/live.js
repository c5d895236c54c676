/**
 * The transcript while it is made: words as they come, with their speakers once these are known.
 * @import {JobEvent, Segment, SpeechTurn, Stretch} from "../lib/types.js"
 */

import {extend, fill, h} from "../lib/dom.js";
import {clock, translations} from "../lib/i18n.js";
import {hueOf, unnamed} from "./people.js";

const t = translations({
  en: {title: "Recognised so far", undecided: "Who says what is still being worked out."},
  ru: {title: "Уже распознано", undecided: "Кто что говорит, пока определяется."},
});

const NEW_TURN_AFTER_PAUSE_S = 2;

/** Make the card; hidden until there are words. `hear(event)` takes the job's events. */
export function liveTranscript() {
  const list = h("div", {class: "transcript-live", tabindex: "0", role: "region", "aria-label": t("title")});
  const undecided = h("p", {class: "hint"}, t("undecided"));
  const element = h("section", {class: "card", hidden: true}, h("h2", {}, t("title")), undecided, list);
  /** @type {Segment[]} */
  let segments = [];
  /** @type {SpeechTurn[]|null} */
  let spans = null;
  /** @type {string[]} */
  let speakers = [];
  /** @type {{who: number|null, text: HTMLElement, end: number}|null} */
  let last = null;
  let scheduled = 0;

  function clear() {
    [segments, spans, speakers] = [[], null, []];
    redraw();
  }

  /** @param {JobEvent} event */
  function hear({type, data}) {
    if (type === "started" || type === "retrying") clear();
    else if (type === "diarized") {
      [spans, speakers] = [data.turns, data.speakers];
      redraw();
    } else if (type === "segment") {
      segments.push(data);
      add(data);
    }
  }

  function redraw() {
    fill(list);
    last = null;
    for (const segment of segments) add(segment);
    undecided.hidden = spans !== null;
    element.hidden = segments.length === 0;
  }

  /**
   * Return the index of the speaker who speaks most during it.
   * @param {Stretch} segment
   * @param {SpeechTurn[]} turns
   */
  function speakerOf({start, end}, turns) {
    const shares = speakers.map(() => 0);
    for (const span of turns) {
      const overlap = Math.min(end, span.end) - Math.max(start, span.start);
      if (overlap > 0) shares[speakers.indexOf(span.speaker)] += overlap;
    }
    const most = Math.max(0, ...shares);
    return most ? shares.indexOf(most) : last?.who ?? 0;
  }

  /** @param {Segment} segment */
  function add(segment) {
    element.hidden = false;
    const who = spans?.length ? speakerOf(segment, spans) : null;
    if (!last || last.who !== who || segment.start - last.end >= NEW_TURN_AFTER_PAUSE_S) {
      const text = h("p", {class: "transcript-text", dir: "auto"});
      const row = h("div", {class: "transcript-turn"}, h("span", {class: "numbers hint"}, clock(segment.start)),
        who === null ? null : h("span", {class: "transcript-who"}, unnamed(who)), text);
      if (who !== null) row.style.setProperty("--hue", String(hueOf(who)));
      list.append(row);
      last = {who, text, end: segment.end};
    }
    last.text.append(`${segment.text.trim()} `);
    last.end = segment.end;
    scheduled ||= requestAnimationFrame(stayAtEnd);
  }

  let atEnd = true;
  list.addEventListener("scroll", () => {
    atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  }, {passive: true});

  function stayAtEnd() {
    scheduled = 0;
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  return extend(element, {clear, hear});
}
