/** Where a person gives a recording: drops a file, chooses one, or records; and hears it before it is sent. */

import {fill, h, icon, uniqueId} from "./dom.js";
import {bytes, duration, speaker} from "./i18n.js";
import {exclusive} from "./media.js";
import {recorder} from "./recorder.js";

const t = speaker({
  en: {
    drop: "Drop a recording here", choose: "Choose a file",
    kinds: "WAV, MP3, FLAC, OGG, M4A, WebM or the sound of an MP4; up to {size}.",
    empty: "This file is empty. Choose another.", another: "Choose another", preview: "Listen to it",
    larger: "This file has {size}; the limit is {limit}. Choose a smaller one.",
  },
  ru: {
    drop: "Перетащите запись сюда", choose: "Выбрать файл",
    kinds: "WAV, MP3, FLAC, OGG, M4A, WebM или звук из MP4; до {size}.",
    empty: "Этот файл пустой. Выберите другой.", another: "Загрузить другой", preview: "Прослушать",
    larger: "В этом файле {size}, а можно до {limit}. Выберите файл поменьше.",
  },
});

const LONGEST_RECORDING_S = 1800;
const BYTES_PER_SECOND = 2 * 48_000;

export const AUDIO = "audio/*,video/mp4,video/webm,video/quicktime,.wav,.mp3,.ogg,.opus,.flac,.webm,.m4a,.aac,.mp4,.mov";

/**
 * Make a sound input.
 * @param {object} options `onFile(file|null)`: a file was given, or taken back; `onProblem(sentence|"")`; `limits`, those of
 *   GET /v1/me; `signal` ends recording; `accept`; `kinds`, a sentence in place of the usual one; `maxBytes`;
 *   `record` (default true); `title` in place of the usual one; `preview(file)`, an element in place of the usual player
 * @returns {HTMLElement & {clear: () => void, file: File|null}}
 */
export function soundInput({
  onFile, onProblem, limits, signal, accept = AUDIO, kinds, maxBytes = limits.recordings.max_bytes, record = true, title, preview,
}) {
  const chooser = h("input", {type: "file", accept, class: "visually-hidden", tabindex: "-1", "aria-hidden": "true",
    on: {change: () => take(chooser.files[0])}});
  const hint = h("p", {class: "hint", id: uniqueId("kinds")}, kinds ?? t("kinds", {size: bytes(maxBytes)}));
  const element = h("div", {class: "sound-input", on: {
    dragover: (event) => {
      event.preventDefault();
      element.classList.add("over");
    },
    dragleave: (event) => { if (!element.contains(event.relatedTarget)) element.classList.remove("over"); },
    drop: (event) => {
      event.preventDefault();
      element.classList.remove("over");
      take(event.dataTransfer.files[0]);
    },
  }});
  let url = null;
  let recording = new AbortController();
  signal?.addEventListener("abort", release, {once: true});

  /** Let go of the file, and of the microphone. */
  function release() {
    if (url) URL.revokeObjectURL(url);
    url = null;
    recording.abort();
  }

  /** Draw anew, and keep the keyboard where it was: here. */
  function draw(children, first) {
    const focused = element.contains(document.activeElement);
    fill(element, chooser, children);
    if (focused) first.focus();
  }

  function take(file) {
    if (!file) return;
    chooser.value = "";
    if (file.size > maxBytes) {
      onProblem(t("larger", {size: bytes(file.size), limit: bytes(maxBytes)}));
      return;
    }
    if (file.size === 0) {
      onProblem(t("empty"));
      return;
    }
    onProblem("");
    element.file = file;
    showFile(file);
    onFile(file);
  }

  function showFile(file) {
    release();
    const facts = h("span", {class: "hint"}, bytes(file.size));
    let shown = preview?.(file);
    if (!shown) {
      url = URL.createObjectURL(file);
      shown = exclusive(h("audio", {controls: true, src: url, preload: "metadata", "aria-label": t("preview"), on: {
        loadedmetadata: () => {
          if (Number.isFinite(shown.duration)) fill(facts, `${bytes(file.size)} · ${duration(shown.duration)}`);
        },
        error: () => { shown.hidden = true; },
      }}));
    }
    element.classList.add("filled");
    const another = h("button", {type: "button", class: "quiet", on: {click: element.clear}}, t("another"));
    draw([h("div", {class: "row"}, h("span", {class: "file-name"}, file.name), facts, another), shown], another);
  }

  element.clear = () => {
    release();
    element.file = null;
    element.classList.remove("filled");
    const choose = h("button", {type: "button", "aria-describedby": hint.id, on: {click: () => chooser.click()}},
      icon("upload"), t("choose"));
    recording = new AbortController();
    const maxSeconds = Math.min(LONGEST_RECORDING_S, limits.recordings.max_seconds, maxBytes / BYTES_PER_SECOND - 1);
    draw([
      h("p", {class: "drop-title"}, title ?? t("drop")),
      h("div", {class: "row centred"}, choose,
        record ? recorder({onFile: take, onProblem, signal: recording.signal, maxSeconds}) : null),
      hint,
    ], choose);
    onFile(null);
  };
  element.file = null;
  element.clear();
  return element;
}
