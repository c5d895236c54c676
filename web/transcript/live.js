/** What is recognised while the work goes on: words as they come, and by whom once that is known. */

import {fill, h} from "../lib/dom.js";
import {clock, speaker} from "../lib/i18n.js";
import {hueOf, unnamed} from "./people.js";

const t = speaker({
  en: {title: "Recognised so far", undecided: "Who says what is still being worked out."},
  ru: {title: "Уже распознано", undecided: "Кто что говорит, пока определяется."},
});

const NEW_TURN_AFTER_PAUSE_S = 2;

/** Make the card; hidden until there are words. `hear(type, data)` takes the job's events. */
export function liveTranscript() {
  const list = h("div", {class: "transcript-live", tabindex: "0", role: "region", "aria-label": t("title")});
  const undecided = h("p", {class: "hint"}, t("undecided"));
  const element = h("section", {class: "card", hidden: true}, h("h2", {}, t("title")), undecided, list);
  let [segments, spans, speakers, last, scheduled] = [[], null, [], null, 0];

  element.clear = () => {
    [segments, spans, speakers] = [[], null, []];
    redraw();
  };

  element.hear = (type, data) => {
    if (type === "started" || type === "retrying") element.clear();
    else if (type === "diarized") {
      [spans, speakers] = [data.turns, data.speakers];
      redraw();
    } else if (type === "segment") {
      segments.push(data);
      add(data);
    }
  };

  function redraw() {
    fill(list);
    last = null;
    for (const segment of segments) add(segment);
    undecided.hidden = spans !== null;
    element.hidden = segments.length === 0;
  }

  /** Who speaks most during it. */
  function speakerOf({start, end}) {
    const shares = speakers.map(() => 0);
    for (const span of spans) {
      const overlap = Math.min(end, span.end) - Math.max(start, span.start);
      if (overlap > 0) shares[speakers.indexOf(span.speaker)] += overlap;
    }
    const most = Math.max(0, ...shares);
    return most ? shares.indexOf(most) : last?.who ?? 0;
  }

  function add(segment) {
    element.hidden = false;
    const who = spans?.length ? speakerOf(segment) : null;
    if (!last || last.who !== who || segment.start - last.end >= NEW_TURN_AFTER_PAUSE_S) {
      const text = h("p", {class: "transcript-text", dir: "auto"});
      const row = h("div", {class: "transcript-turn"}, h("span", {class: "numbers hint"}, clock(segment.start)),
        who === null ? null : h("span", {class: "transcript-who"}, unnamed(who)), text);
      if (who !== null) row.style.setProperty("--hue", hueOf(who));
      list.append(row);
      last = {who, text};
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

  return element;
}
