/**
 * A typed message over HTTP, with the events of the live protocol: for where no WebSocket can be opened.
 * @import {LiveEvent, LiveStart} from "../lib/types.js"
 */

import {ask, askJson, Problem} from "../lib/api.js";
import {read} from "../lib/events.js";
import {REPLY_RATE} from "../lib/live.js";
import {pcm16} from "../lib/microphone.js";
import {resampler} from "../lib/resampler.js";

let written = 0;

/**
 * Send a message; `onEvent` is called as openLive() calls it, first with "ready" and the session.
 * @param {object} options
 * @param {string} options.text
 * @param {string|null} options.sessionId null for a new one
 * @param {LiveStart} options.start
 * @param {(event: LiveEvent, samples: Int16Array|null) => void} options.onEvent
 * @param {AbortSignal} options.signal
 */
export async function sendTyped({text, sessionId, start, onEvent, signal}) {
  const {language, voice, speak} = start;
  const turn = ++written;
  const own = {turn, turnId: `w${turn}`};
  const session = sessionId ?? (await askJson("v1/assistant/sessions", {method: "POST", json: {}, signal})).id;
  onEvent({type: "ready", session_id: session}, null);
  const response = await ask(`v1/assistant/sessions/${session}/messages`, {
    method: "POST", headers: {Accept: "text/event-stream"}, signal,
    json: {text, speak, language, ...(voice ? {voice} : {})},
  });
  /** @type {ReturnType<typeof resampler>|null} */
  let resample = null;
  for await (const {type, data} of read(response.body)) {
    if (type === "text") onEvent({type: "reply.text", ...own, text: data.text}, null);
    else if (type === "audio") {
      resample ??= resampler(data.sample_rate, REPLY_RATE);
      onEvent({type: "reply.audio", ...own, text: data.text}, pcm16(resample(floats(data.pcm16))));
    } else if (type === "speech_failed") {
      onEvent({type: "error", ...own, code: "speech_failed", message: data.reason}, null);
    } else if (type === "error") throw new Problem(data.code, {detail: data.detail, retryAfter: data.retry_after});
    else if (type === "end") {
      const {chat_first_token: first, tts_first_audio: sound, total} = data.timings;
      const ms = (/** @type {number|undefined} */ seconds) => seconds === undefined ? undefined : seconds * 1000;
      const timings = {first_text_ms: ms(first), first_audio_ms: ms(sound), end_ms: ms(total)};
      onEvent({type: "reply.end", ...own, timings}, null);
    }
  }
}

/** @param {string} base64 16-bit samples */
function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
}
