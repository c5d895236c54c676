/** A typed message over HTTP, with the events of the live protocol: for where no WebSocket can be had. */

import {ask, askJson, Problem} from "../lib/api.js";
import {read} from "../lib/events.js";
import {REPLY_RATE} from "../lib/live.js";
import {pcm16} from "../lib/microphone.js";
import {resampler} from "../lib/resampler.js";

let written = 0;

/**
 * Say something in writing; `onEvent` is told as openLive tells it, first of "ready" with the session.
 * @param {object} options `text`, `sessionId` (null: a new one), `start`: {language, voice, speak}, `onEvent`, `signal`
 */
export async function write({text, sessionId, start, onEvent, signal}) {
  const {language, voice, speak} = start;
  const turnId = `w${++written}`;
  const tell = (type, more = {}, samples = null) => onEvent({type, turnId, turn: written, ...more}, samples);
  const session = sessionId ?? (await askJson("v1/assistant/sessions", {method: "POST", json: {}, signal})).id;
  onEvent({type: "ready", session_id: session});
  const response = await ask(`v1/assistant/sessions/${session}/messages`, {
    method: "POST", headers: {Accept: "text/event-stream"}, signal,
    json: {text, speak, language, ...(voice ? {voice} : {})},
  });
  let resample = null;
  for await (const {type, data} of read(response.body)) {
    if (type === "text") tell("reply.text", {text: data.text});
    else if (type === "audio") {
      resample ??= resampler(data.sample_rate, REPLY_RATE);
      tell("reply.audio", {text: data.text}, pcm16(resample(floats(data.pcm16))));
    } else if (type === "speech_failed") tell("error", {code: "speech_failed", message: data.reason});
    else if (type === "error") throw new Problem(data.code, {detail: data.detail, retryAfter: data.retry_after});
    else if (type === "end") {
      const {chat_first_token: first, tts_first_audio: sound, total} = data.timings;
      const ms = (seconds) => seconds === undefined ? undefined : seconds * 1000;
      tell("reply.end", {timings: {first_text_ms: ms(first), first_audio_ms: ms(sound), end_ms: ms(total)}});
    }
  }
}

function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
}
