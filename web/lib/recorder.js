/** A button that records, with time and level, and hands over a WAV file. */

import {sentenceOf} from "./api.js";
import {fill, h, icon} from "./dom.js";
import {clock, translations} from "./i18n.js";
import {loudness, openMicrophone, pcm16, wavFile} from "./microphone.js";

const t = translations({
  en: {
    record: "Record", stop: "Stop recording", level: "Level of the microphone",
    short: "That was too short to hear anything. Record a little longer.",
  },
  ru: {
    record: "Записать", stop: "Остановить запись", level: "Уровень микрофона",
    short: "Это слишком коротко, ничего не слышно. Запишите подольше.",
  },
});

/**
 * Make a recorder.
 * @param {object} options
 * @param {(file: File) => void} options.onFile
 * @param {(sentence: string|null) => void} options.onProblem
 * @param {number} [options.maxSeconds] it stops by itself then
 * @param {AbortSignal} [options.signal] after which the microphone is closed and nothing is handed over
 * @param {boolean} [options.echoCancellation]
 */
export function recorder({onFile, onProblem, maxSeconds = 1800, signal, echoCancellation = false}) {
  const label = h("span", {}, t("record"));
  const button = h("button", {type: "button", class: "quiet recorder-button", on: {click: toggle}}, icon("record"), label);
  const time = h("span", {class: "recorder-time", role: "timer"}, "0:00");
  const bar = h("span", {class: "level-bar"});
  const meter = h("span", {class: "level", role: "img", "aria-label": t("level")}, bar);
  const live = h("span", {class: "recorder-live", hidden: true}, meter, time);
  const element = h("div", {class: "recorder"}, button, live);
  /** @type {Awaited<ReturnType<typeof openMicrophone>>|null} */
  let microphone = null;
  let opening = false;
  /** @type {Int16Array<ArrayBuffer>[]} */
  let pieces = [];
  let samples = 0;
  signal?.addEventListener("abort", () => finish(false), {once: true});

  async function toggle() {
    if (opening) return;
    if (microphone) {
      finish(true);
      return;
    }
    opening = true;
    pieces = [];
    samples = 0;
    try {
      const opened = await openMicrophone(hear, {echoCancellation, onEnd: () => finish(true)});
      if (signal?.aborted) {
        opened.close();
        return;
      }
      microphone = opened;
      onProblem("");
      show(true);
    } catch (error) {
      onProblem(sentenceOf(error));
    } finally {
      opening = false;
    }
  }

  /** @param {Float32Array} piece */
  function hear(piece) {
    if (!microphone) return;
    pieces.push(pcm16(piece));
    samples += piece.length;
    const seconds = samples / microphone.sampleRate;
    fill(time, clock(seconds));
    bar.style.inlineSize = `${Math.round(loudness(piece) * 100)}%`;
    if (seconds >= maxSeconds) finish(true);
  }

  /** @param {boolean} keep */
  function finish(keep) {
    if (!microphone) return;
    const {sampleRate} = microphone;
    microphone.close();
    microphone = null;
    show(false);
    if (!keep) return;
    if (samples < sampleRate / 10) onProblem(t("short"));
    else onFile(wavFile(pieces, sampleRate, recordingName(new Date())));
    pieces = [];
  }

  /** @param {boolean} recording */
  function show(recording) {
    fill(label, t(recording ? "stop" : "record"));
    button.classList.toggle("recording", recording);
    button.firstChild?.replaceWith(icon(recording ? "stop" : "record"));
    live.hidden = !recording;
  }

  return element;
}

/**
 * Return a file name like Recording_27-11-2026_10-15.wav; no colons, which some file systems refuse.
 * @param {Date} now
 */
function recordingName(now) {
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = [two(now.getDate()), two(now.getMonth() + 1), now.getFullYear()].join("-");
  return `Recording_${day}_${two(now.getHours())}-${two(now.getMinutes())}.wav`;
}
