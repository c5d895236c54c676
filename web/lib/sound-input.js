/**
 * An input for a recording: dropped, chosen, or recorded; it can be heard before it is sent.
 * @import {Child, Limits} from "./types.js"
 */

import {extend, fill, h, icon, uniqueId} from "./dom.js";
import {bytes, duration, translations} from "./i18n.js";
import {exclusive} from "./media.js";
import {recorder} from "./recorder.js";

const t = translations({
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

const AUDIO = "audio/*,video/mp4,video/webm,video/quicktime,.wav,.mp3,.ogg,.opus,.flac,.webm,.m4a,.aac,.mp4,.mov";

/**
 * Make a sound input. It has the `file` that was given, and `clear()`.
 * @param {object} options
 * @param {(file: File|null) => void} options.onFile a file was given, or taken back
 * @param {(sentence: string|null) => void} options.onProblem
 * @param {Limits} options.limits
 * @param {AbortSignal} [options.signal] ends recording
 * @param {string} [options.accept] media types and endings
 * @param {string} [options.kinds] a sentence in place of the usual one
 * @param {number} [options.maxBytes]
 * @param {boolean} [options.record]
 * @param {string} [options.title] in place of the usual one
 * @param {(file: File) => HTMLElement} [options.preview] makes an element in place of the usual player
 */
export function soundInput({
  onFile, onProblem, limits, signal, accept = AUDIO, kinds, maxBytes = limits.recordings.max_bytes, record = true, title, preview,
}) {
  const chooser = h("input", {type: "file", accept, class: "visually-hidden", tabindex: "-1", "aria-hidden": "true",
    on: {change: () => take(chooser.files?.[0])}});
  const hint = h("p", {class: "hint", id: uniqueId("kinds")}, kinds ?? t("kinds", {size: bytes(maxBytes)}));
  /** @type {HTMLElement} */
  const box = h("div", {class: "sound-input", on: {
    dragover: (event) => {
      event.preventDefault();
      box.classList.add("over");
    },
    dragleave: ({relatedTarget: to}) => { if (!(to instanceof Node && box.contains(to))) box.classList.remove("over"); },
    drop: (event) => {
      event.preventDefault();
      box.classList.remove("over");
      take(event.dataTransfer?.files[0]);
    },
  }});
  const element = extend(box, {file: /** @type {File|null} */ (null), clear});
  /** @type {string|null} */
  let url = null;
  let recording = new AbortController();
  signal?.addEventListener("abort", release, {once: true});

  /** Release the file and the microphone. */
  function release() {
    if (url) URL.revokeObjectURL(url);
    url = null;
    recording.abort();
  }

  /**
   * Draw anew; `first` gets the keyboard if it was in here.
   * @param {Child[]} children
   * @param {HTMLElement} first
   */
  function draw(children, first) {
    const focused = element.contains(document.activeElement);
    fill(element, chooser, children);
    if (focused) first.focus();
  }

  /** @param {File|undefined} file */
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

  /** @param {File} file */
  function showFile(file) {
    release();
    const facts = h("span", {class: "hint"}, bytes(file.size));
    const shown = preview ? preview(file) : player(file, facts);
    element.classList.add("filled");
    const another = h("button", {type: "button", class: "quiet", on: {click: clear}}, t("another"));
    draw([h("div", {class: "row"}, h("span", {class: "file-name"}, file.name), facts, another), shown], another);
  }

  /**
   * @param {File} file
   * @param {HTMLElement} facts gets the length, once it is known
   */
  function player(file, facts) {
    url = URL.createObjectURL(file);
    /** @type {HTMLAudioElement} */
    const audio = h("audio", {controls: true, src: url, preload: "metadata", "aria-label": t("preview"), on: {
      loadedmetadata: () => {
        if (Number.isFinite(audio.duration)) fill(facts, `${bytes(file.size)} · ${duration(audio.duration)}`);
      },
      error: () => { audio.hidden = true; },
    }});
    return exclusive(audio);
  }

  function clear() {
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
  }

  clear();
  return element;
}
