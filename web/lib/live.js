/**
 * The live protocol of docs/live.md: audio goes up while it is spoken, text and speech come back.
 * @import {LiveEvent, LiveStart, LiveState} from "./types.js"
 */

import {forgetKey, isAbort, key, pause, Problem, socketAddress} from "./api.js";
import {pcm16} from "./microphone.js";
import {resampler} from "./resampler.js";

export const REPLY_RATE = 24_000;

const SAMPLE_RATE = 16_000;
const BYTES_PER_MS = 2 * SAMPLE_RATE / 1000;
/** Audio that may wait for a slow or broken connection; any more is lost. */
const MAX_WAITING_BYTES = 10_000 * BYTES_PER_MS;
const REMEMBERED_MARKS = 2000;
const START_SECONDS = 15;
const STEADY_MS = 5000;
/** Seconds before each new try; a connection that was never open gets only the first. */
const PAUSES = [0.3, 1, 2, 4, 8, 8, 8, 8];
const BROKEN = [1001, 1005, 1006, 1012];

/**
 * Open a live connection. Until it is open, what is sent waits; where it breaks it is opened anew.
 * @param {object} options
 * @param {string} options.path "api/v1/ws" or "api/v1/ws/translation"
 * @param {LiveStart} options.start fields of the start message besides those of the key and the formats
 * @param {string|null} [options.sessionId] of the conversation to go on with
 * @param {(event: LiveEvent, samples: Int16Array|null) => void} options.onEvent each event of the service, reply.audio with
 *   its samples at REPLY_RATE. Besides: `session_lost` (the session was gone: a new one begins) and `audio_lost` (the
 *   connection is too slow for what is said)
 * @param {(state: LiveState, problem: Problem|null) => void} options.onState `problem`: why it was closed unexpectedly
 * @param {AbortSignal} [options.signal] ends everything, silently
 * @returns {{send: (samples: Float32Array, sampleRate: number) => void, commit: () => void, cancel: () => void,
 *   text: (text: string) => void, stop: () => void, close: () => void}} `stop` lets what was said be finished,
 *   `close` does not
 */
export function openLive({path, start, sessionId = null, onEvent, onState, signal}) {
  const ended = new AbortController();
  signal?.addEventListener("abort", () => finish(), {once: true});
  /** @type {WebSocket|null} */
  let socket = null;
  let ready = false;
  let stopping = false;
  let number = 0;
  /** @type {string|null} */
  let correlationId = null;
  /** @type {{data: string|Int16Array<ArrayBuffer>, at: number}[]} */
  let waiting = [];
  let waitingBytes = 0;
  let losing = false;
  let sentMs = 0;
  /** @type {{ms: number, at: number}[]} */
  let marks = [];
  let rate = 0;
  /** @type {ReturnType<typeof resampler>} */
  let resample = (samples) => samples;

  run().catch((error) => {
    if (!isAbort(error)) throw error;
  });

  async function run() {
    let failures = 0;
    for (let stood = false; ;) {
      tell(stood ? "reconnecting" : "connecting");
      const began = performance.now();
      const {code, reason, message, problem, opened} = await connect();
      if (ended.signal.aborted) return;
      stood ||= opened;
      if (opened && performance.now() - began > STEADY_MS) failures = 0;
      if (stopping || !(BROKEN.includes(code) || reason === "no_start")) {
        const meant = code === 1000 || stopping;
        end(problem ?? (meant ? null : new Problem(reason || "live_closed", {detail: message, correlationId})));
        return;
      }
      if (failures >= (stood ? PAUSES.length : 1)) {
        end(new Problem(stood ? "live_lost" : "live_unreachable"));
        return;
      }
      if (stood) tell("reconnecting");
      await pause(PAUSES[failures++], ended.signal);
    }
  }

  /**
   * Keep one connection until it is closed.
   * @returns {Promise<{code: number, reason: string, message: string, problem: Problem|null, opened: boolean}>} how it
   *   ended
   */
  function connect() {
    return new Promise((resolve) => {
      const own = new WebSocket(socketAddress(path));
      own.binaryType = "arraybuffer";
      socket = own;
      number += 1;
      sentMs = 0;
      marks = [];
      let opened = false;
      /** @type {LiveEvent|null} */
      let header = null;
      /** @type {{reason: string, message: string}|null} */
      let closing = null;
      /** @type {Problem|null} */
      let problem = null;
      const late = setTimeout(() => own.close(), START_SECONDS * 1000);

      const begin = () => own.send(JSON.stringify({
        ...start, type: "start", api_key: key() ?? "", sample_rate: SAMPLE_RATE, reply_sample_rate: REPLY_RATE,
        ...(sessionId ? {session_id: sessionId} : {}),
      }));

      /** @param {{code: string, message: string, field?: string, retry_after?: number}} event */
      function refused(event) {
        if (event.code === "session_not_found" && sessionId) {
          sessionId = null;
          onEvent({type: "session_lost"}, null);
          begin();
          return;
        }
        problem = new Problem(event.code, {detail: event.message, field: event.field, retryAfter: event.retry_after});
        own.close(1000);
      }

      own.onopen = begin;
      own.onmessage = ({data}) => {
        if (ended.signal.aborted) return;
        if (typeof data !== "string") {
          if (header) deliver(header, new Int16Array(data));
          header = null;
          return;
        }
        const event = JSON.parse(data);
        if (event.type === "reply.audio") header = event;
        else if (event.type === "ping") own.send(JSON.stringify({type: "pong", id: event.id}));
        else if (event.type === "closing") closing = event;
        else if (event.type === "error" && !event.fatal && !opened) refused(event);
        else if (event.type === "ready") {
          clearTimeout(late);
          opened = ready = true;
          sessionId = event.session_id ?? null;
          correlationId = event.correlation_id;
          tell("ready");
          deliver(event);
          flush();
        } else if (!event.fatal) deliver(event);
      };
      own.onclose = ({code, reason}) => {
        clearTimeout(late);
        ready = false;
        socket = null;
        if (code === 4401) forgetKey(new Problem(closing?.reason ?? "invalid_key").message);
        resolve({
          code: problem ? 1000 : code, reason: closing?.reason ?? reason, message: inWords(closing?.message ?? ""),
          problem, opened,
        });
      };
    });
  }

  /**
   * @param {any} event as it came
   * @param {Int16Array|null} [samples]
   */
  function deliver(event, samples = null) {
    if (event.turn !== undefined) event.turnId = `${number}.${event.turn}`;
    if (event.type === "speech_started") event.startedAt = momentOf(event.at_ms);
    if (event.type === "speech_ended") event.endedAt = momentOf(event.end_ms);
    onEvent(event, samples);
  }

  /**
   * Return when audio was heard here, as performance.now() tells it.
   * @param {number} ms its place in what was sent
   */
  function momentOf(ms) {
    const mark = marks.find((one) => one.ms >= ms) ?? marks.at(-1);
    return mark ? mark.at - Math.max(0, mark.ms - ms) : performance.now();
  }

  /** @param {string|Int16Array<ArrayBuffer>} data */
  function put(data) {
    if (ended.signal.aborted || stopping) return;
    const frame = {data, at: performance.now()};
    const audio = typeof data !== "string";
    if (audio && (ready ? socket?.bufferedAmount ?? 0 : waitingBytes) > MAX_WAITING_BYTES) {
      if (!losing) onEvent({type: "audio_lost"}, null);
      losing = true;
      return;
    }
    if (audio) losing = false;
    if (ready) transmit(frame);
    else {
      waiting.push(frame);
      if (audio) waitingBytes += data.byteLength;
    }
  }

  /** @param {(typeof waiting)[0]} frame */
  function transmit({data, at}) {
    if (typeof data !== "string") {
      sentMs += data.byteLength / BYTES_PER_MS;
      marks.push({ms: sentMs, at});
      if (marks.length > REMEMBERED_MARKS) marks.shift();
    }
    socket?.send(data);
  }

  function flush() {
    const frames = waiting;
    waiting = [];
    waitingBytes = 0;
    for (const frame of frames) transmit(frame);
    if (stopping) socket?.send(JSON.stringify({type: "stop"}));
  }

  /**
   * Leave out a message with limits in it, which say nothing to a person.
   * @param {string} message
   */
  const inWords = (message) => /\d/.test(message) ? "" : message;

  const command = (/** @type {string} */ type, more = {}) => put(JSON.stringify({type, ...more}));

  /**
   * @param {LiveState} state
   * @param {Problem|null} [problem]
   */
  function tell(state, problem = null) {
    if (!ended.signal.aborted) onState(state, problem);
  }

  /** @param {Problem|null} problem */
  function end(problem) {
    tell("closed", problem);
    ended.abort();
  }

  function finish() {
    ended.abort();
    socket?.close(1000);
  }

  return {
    send(samples, sampleRate) {
      if (rate !== sampleRate) {
        rate = sampleRate;
        resample = resampler(sampleRate, SAMPLE_RATE);
      }
      const pcm = pcm16(resample(samples));
      if (pcm.length) put(pcm);
    },
    commit: () => command("commit"),
    cancel: () => command("cancel"),
    text: (text) => command("text", {text}),
    stop() {
      if (stopping || ended.signal.aborted) return;
      stopping = true;
      if (ready) socket?.send(JSON.stringify({type: "stop"}));
    },
    close() {
      if (ended.signal.aborted) return;
      tell("closed");
      finish();
    },
  };
}
