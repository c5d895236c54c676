/**
 * The transcript as files, as text to copy, and as a link.
 * @import {TranscriptionJob} from "../lib/types.js"
 */

import {ask, sentenceOf} from "../lib/api.js";
import {fill, h, icon, uniqueId} from "../lib/dom.js";
import {clock, translations} from "../lib/i18n.js";
import {save} from "../lib/media.js";
import {copyButton} from "../lib/copy-button.js";

const t = translations({
  en: {
    export: "Export", txt: "text with names and times", srt: "subtitles for players", vtt: "subtitles for the web",
    json: "everything, with the times of words", rttm: "who spoke when, for research",
    copy: "Copy the text", link: "Copy the link",
  },
  ru: {
    export: "Экспорт", txt: "текст с именами и временем", srt: "субтитры для проигрывателей",
    vtt: "субтитры для веб-страниц", json: "всё, со временем каждого слова", rttm: "кто когда говорил, для исследований",
    copy: "Скопировать текст", link: "Скопировать ссылку",
  },
});

const FILES = /** @type {const} */ ([
  ["txt", "transcript.txt"], ["srt", "transcript.srt"], ["vtt", "transcript.vtt"], ["json", "transcript.json"],
  ["rttm", "diarization.rttm"],
]);

/**
 * Make the row of buttons.
 * @param {object} options
 * @param {TranscriptionJob} options.job
 * @param {import("./paragraphs.js").Paragraph[]} options.paragraphs
 * @param {import("./people.js").People} options.people
 * @param {AbortSignal} options.signal
 */
export function files({job, paragraphs, people, signal}) {
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const words = () => paragraphs
    .map(({start, who, text}) => `[${clock(start)}] ${people.name(who)}: ${text}`).join("\n");
  const shown = h("pre", {class: "transcript-plain", hidden: true, tabindex: "0", "aria-label": t("copy")});
  const link = h("code", {hidden: true}, location.href);
  return [
    h("div", {class: "row"},
      exportMenu({job, signal, complain: (sentence) => {
        fault.hidden = !sentence;
        fill(fault, sentence ?? "");
      }}),
      paragraphs.length
        ? copyButton({text: () => fill(shown, words()).textContent ?? "", words: t("copy"), from: shown}) : null,
      copyButton({text: () => location.href, words: t("link"), from: link, symbol: "link"})),
    fault, link, shown,
  ];
}

/**
 * @param {object} options
 * @param {TranscriptionJob} options.job
 * @param {AbortSignal} options.signal
 * @param {(sentence: string|null) => void} options.complain
 */
function exportMenu({job, signal, complain}) {
  const stem = (job.filename ?? "transcript").replace(/\.[^.]+$/, "") || "transcript";
  const panel = h("ul", {class: "transcript-menu", id: uniqueId("export"), hidden: true},
    FILES.map(([ending, artifact]) =>
      h("li", {}, h("button", {type: "button", class: "quiet", on: {click: () => fetchFile(ending, artifact)}},
        h("strong", {}, ending.toUpperCase()), h("span", {}, t(ending))))));
  const button = h("button", {type: "button", "aria-expanded": "false", "aria-controls": panel.id, on: {
    click: () => show(Boolean(panel.hidden)),
  }}, icon("download"), t("export"));
  /** @type {HTMLElement} */
  const element = h("div", {class: "transcript-export", on: {
    keydown: (event) => {
      if (event.key !== "Escape" || panel.hidden) return;
      show(false);
      button.focus();
    },
    focusout: ({relatedTarget: to}) => {
      if (to instanceof Node && !element.contains(to)) show(false);
    },
  }}, button, panel);
  document.addEventListener("pointerdown", (event) => {
    if (!(event.target instanceof Node && element.contains(event.target))) show(false);
  }, {signal});

  /** @param {boolean} open */
  function show(open) {
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
  }

  /**
   * @param {string} ending
   * @param {string} artifact
   */
  async function fetchFile(ending, artifact) {
    complain("");
    try {
      save(await (await ask(`v1/jobs/${job.id}/artifacts/${artifact}`, {signal})).blob(), `${stem}.${ending}`);
      show(false);
      button.focus();
    } catch (error) {
      complain(sentenceOf(error));
    }
  }

  return element;
}
