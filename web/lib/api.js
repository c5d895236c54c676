/** The HTTP API: the key, requests, and what went wrong in words. */

import {problemSentence} from "./problems.js";

const STORED_KEY = "voicegraph-key";
const ROOT = new URL(document.documentElement.dataset.root, location.href.split("#")[0]);

/** The address of a path of the API ("v1/jobs" or "/v1/jobs"), behind whatever prefix the page itself is. */
export const address = (path) => new URL(path.replace(/^\//, ""), ROOT);

/** The same for WebSocket. */
export function socketAddress(path) {
  const url = address(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

export const key = () => sessionStorage.getItem(STORED_KEY);
export const setKey = (value) => sessionStorage.setItem(STORED_KEY, value);

export const dropKey = () => sessionStorage.removeItem(STORED_KEY);

/** Drop the key; the page shows the sign-in. `reason` is a sentence for it. */
export function forgetKey(reason = "") {
  dropKey();
  dispatchEvent(new CustomEvent("signed-out", {detail: reason}));
}

/** Something that a person can do something about; `message` is a sentence in their language. */
export class Problem extends Error {
  /**
   * @param {string} code of the API (docs/api.md), or "network", "aborted_upload"
   * @param {object} [more] status, detail, field, retryAfter (seconds), correlationId
   */
  constructor(code, more = {}) {
    super(problemSentence(code, more));
    this.code = code;
    this.status = more.status ?? 0;
    this.field = more.field ?? null;
    this.detail = more.detail ?? "";
    this.retryAfter = more.retryAfter ?? null;
    this.correlationId = more.correlationId ?? null;
  }
}

/** The `error` of a job (with the job's `correlation_id` put to it), as a Problem. */
export const problemOf = (body) =>
  new Problem(body.code, {detail: body.message, field: body.field, correlationId: body.correlation_id});

/**
 * Ask the API.
 * @param {string} path
 * @param {object} [options] those of fetch, and `json`, a body to send as JSON
 * @returns {Promise<Response>} a good one
 * @throws {Problem} anything else; AbortError where `signal` was used
 */
export async function ask(path, {json, headers = {}, ...options} = {}) {
  const sent = {...headers, "X-API-Key": key() ?? ""};
  if (json !== undefined) {
    sent["Content-Type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  let response;
  try {
    response = await fetch(address(path), {...options, headers: sent});
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("network");
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.text().catch(() => ""), (name) => response.headers.get(name));
}

/** Ask for JSON. Reads are tried again, three times, where the network or a full service is in the way. */
export async function askJson(path, options = {}) {
  const reads = (options.method ?? "GET") === "GET";
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await ask(path, options);
      return response.status === 204 ? null : await response.json();
    } catch (error) {
      const passing = error instanceof Problem && (error.code === "network" || [429, 503].includes(error.status));
      if (!reads || !passing || attempt === 3) throw error;
      await pause(Math.min(error.retryAfter ?? attempt, 5), options.signal);
    }
  }
}

/** Turn a refused answer into a Problem; a key that is not known signs out. */
export function refusal(status, text, header) {
  let body = {};
  try {
    body = JSON.parse(text);
  } catch { /* Not JSON: the status has to do. */ }
  const problem = new Problem(body.code ?? `status_${status}`, {
    status,
    detail: body.detail ?? body.error ?? body.title ?? "",
    field: body.field,
    retryAfter: Number(header("Retry-After")) || null,
    correlationId: header("X-Correlation-ID"),
  });
  if (status === 401) forgetKey(problem.message);
  return problem;
}

/** Wait; rejects with AbortError when `signal` is used. */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    }, {once: true});
  });
}

/** Whatever was thrown, as a sentence; null for an abort, of which nobody need hear. */
export function sentenceOf(error) {
  if (error?.name === "AbortError") return null;
  if (error instanceof Problem) return error.message;
  console.error(error);
  return problemSentence("page_fault", {detail: String(error?.message ?? error)});
}
