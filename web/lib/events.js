/**
 * Server-sent events, read through fetch, since EventSource can't send a key.
 * @import {JobEvent} from "./types.js"
 */

import {ask, Problem} from "./api.js";

const ENDS = ["succeeded", "failed", "cancelled"];
const LONGEST_PAUSE_S = 10;
// The service says every 15 s that the connection is alive.
const SILENCE_S = 45;

/**
 * Follow a job to its end; broken connections are taken up where they broke.
 * @param {string} jobId
 * @param {(event: JobEvent) => void} onEvent
 * @param {AbortSignal} signal
 * @param {object} [options]
 * @param {(connected: boolean) => void} [options.onConnection]
 * @param {number} [options.after] the id of the last event that is known already
 * @returns {Promise<void>} when the job has ended
 */
export async function followJob(jobId, onEvent, signal, {onConnection = () => {}, after = 0} = {}) {
  let last = after;
  let failures = 0;
  let ended = false;
  for (;;) {
    try {
      const response = await ask(`v1/jobs/${jobId}/events`, {headers: {"Last-Event-ID": String(last)}, signal});
      onConnection(true);
      for await (const event of read(response.body, SILENCE_S)) {
        failures = 0;
        last = event.id ?? last;
        ended = ENDS.includes(event.type);
        onEvent(/** @type {JobEvent} */ (event));
      }
      // A job that was tried again has ends in its past: the service closes the stream after the last one.
      if (ended) return;
    } catch (error) {
      const passing = error instanceof Problem ? error.status === 0 || error.status >= 429 : error instanceof TypeError;
      if (!passing) throw error;
    }
    onConnection(false);
    await pauseOrOnline(Math.min(2 ** failures++, LONGEST_PAUSE_S), signal);
  }
}

/**
 * Wait, but no longer than until the browser says that there is a network again.
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
function pauseOrOnline(seconds, signal) {
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    /** @param {(value: unknown) => void} settle */
    const end = (settle) => (/** @type {unknown} */ value) => {
      done.abort();
      clearTimeout(timer);
      settle(value);
    };
    const timer = setTimeout(end(resolve), seconds * 1000);
    addEventListener("online", end(resolve), {signal: done.signal});
    const stop = end(reject);
    signal.addEventListener("abort", () => stop(new DOMException("aborted", "AbortError")), {signal: done.signal});
    if (signal.aborted) stop(new DOMException("aborted", "AbortError"));
  });
}

/**
 * Read a stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>|null} body
 * @param {number} [silence] seconds without a byte after which the connection is taken for lost
 * @returns {AsyncGenerator<{id: number|null, type: string, data: any}, void, void>}
 * @throws {Problem} "network"
 */
export async function* read(body, silence = Infinity) {
  if (!body) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const {done, value} = await within(silence, reader.read());
      if (done) return;
      const blocks = (rest + value).split(/\r\n\r\n|\n\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @template Result
 * @param {number} seconds
 * @param {Promise<Result>} work
 * @returns {Promise<Result>}
 */
function within(seconds, work) {
  if (seconds === Infinity) return work;
  let timer = 0;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Problem("network")), seconds * 1000);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** @param {string} block the lines of an event */
function parse(block) {
  /** @type {number|null} */
  let id = null;
  let type = "message";
  const data = [];
  for (const line of block.split(/\r\n|\n/)) {
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") id = Number(value);
    else if (field === "event") type = value;
    else if (field === "data") data.push(value);
  }
  return data.length ? {id, type, data: JSON.parse(data.join("\n"))} : null;
}
