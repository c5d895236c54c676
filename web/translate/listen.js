/** A button that has a text spoken, from its first clause on while the rest is still being made. */

import {ask, sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";
import {REPLY_RATE} from "../lib/live.js";
import {soundOut} from "../lib/sound-out.js";

const t = translations({
  en: {
    listen: "Listen", stop: "Stop",
    too_long: "Up to {limit} characters can be spoken at once. Shorten the text to listen to it.",
  },
  ru: {
    listen: "Прослушать", stop: "Остановить",
    too_long: "Вслух читается не больше {limit} символов сразу. Сократите текст, чтобы его прослушать.",
  },
});

/**
 * Make the button; disable() stops it, too.
 * @param {object} options
 * @param {() => {text: string, language: string}} options.what
 * @param {string} options.label for screen readers
 * @param {import("../lib/types.js").Limits} options.limits
 * @param {(sentence: string) => void} options.onProblem
 * @param {AbortSignal} options.signal ends it
 */
export function listenButton({what, label, limits, signal, onProblem}) {
  const button = h("button", {type: "button", class: "quiet", on: {click: () => request ? stop() : listen()}});
  /** @type {ReturnType<typeof soundOut>|null} */
  let out = null;
  /** @type {AbortController|null} */
  let request = null;
  let arrived = false;
  show();

  async function listen() {
    const {text, language} = what();
    const limit = limits.texts.max_speech_chars;
    onProblem([...text].length > limit ? t("too_long", {limit}) : "");
    if ([...text].length > limit) return;
    const mine = request = new AbortController();
    arrived = false;
    show();
    try {
      if (!out) {
        out = soundOut({sampleRate: REPLY_RATE, signal, onIdle: () => { if (arrived) stop(); }});
        // The next player that begins ends the request, too.
        out.pause = stop;
      }
      const json = {text, language, format: "pcm", sample_rate: REPLY_RATE};
      const response = await ask("v1/speech", {method: "POST", json, signal: AbortSignal.any([mine.signal, signal])});
      if (response.body) await hear(response.body, mine);
    } catch (error) {
      if (!mine.signal.aborted) {
        stop();
        onProblem(sentenceOf(error) ?? "");
      }
    }
  }

  /**
   * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body 16-bit samples
   * @param {AbortController} mine
   */
  async function hear(body, mine) {
    const reader = body.getReader();
    let rest = new Uint8Array(0);
    for (;;) {
      const {done, value} = await reader.read();
      if (mine.signal.aborted) return;
      if (done) break;
      const bytes = new Uint8Array(rest.length + value.length);
      bytes.set(rest);
      bytes.set(value, rest.length);
      const whole = bytes.length - bytes.length % 2;
      out?.play(new Int16Array(bytes.buffer, 0, whole / 2), {});
      rest = bytes.slice(whole);
    }
    arrived = true;
    if (!out?.playing) stop();
  }

  function stop() {
    request?.abort();
    request = null;
    out?.drop();
    show();
  }

  function show() {
    fill(button, icon(request ? "stop" : "sound"), t(request ? "stop" : "listen"));
    button.setAttribute("aria-label", request ? t("stop") : label);
    button.classList.toggle("translate-speaking", request !== null);
  }

  return extend(button, {
    /** @param {boolean} disabled */
    disable(disabled) {
      if (disabled && request) stop();
      button.disabled = disabled;
    },
  });
}
