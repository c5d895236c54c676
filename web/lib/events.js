/** Server-sent events, read through fetch, since EventSource can't send a key. */

import {ask, pause, Problem} from "./api.js";

/**
 * Follow a job from its beginning to its end; broken connections are taken up where they broke.
 * @param {string} jobId
 * @param {(event: {id: number, type: string, data: object}) => void} onEvent
 * @param {AbortSignal} signal
 * @param {(connected: boolean) => void} [onConnection]
 * @returns {Promise<void>} when the job has ended
 */
export async function followJob(jobId, onEvent, signal, onConnection = () => {}) {
  let last = 0;
  let failures = 0;
  let ended = false;
  for (;;) {
    try {
      const response = await ask(`v1/jobs/${jobId}/events`, {headers: {"Last-Event-ID": String(last)}, signal});
      onConnection(true);
      for await (const event of read(response.body)) {
        failures = 0;
        last = event.id ?? last;
        ended = ["succeeded", "failed", "cancelled"].includes(event.type);
        onEvent(event);
      }
      // A job that was tried again has ends in its past: the service closes the stream after the last one.
      if (ended) return;
    } catch (error) {
      const passing = error instanceof Problem ? error.status === 0 || error.status >= 429 : error instanceof TypeError;
      if (!passing) throw error;
    }
    onConnection(false);
    await pause(Math.min(2 ** failures++, 10), signal);
  }
}

/** Read a stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export async function* read(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      const blocks = (rest + value).split(/\r\n\r\n|\n\n/);
      rest = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(block) {
  let [id, type] = [null, "message"];
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
