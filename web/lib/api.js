/**
 * The HTTP API: the key, requests, and problems in words.
 * @import {Answer, JobKind} from "./types.js"
 */

import {problemSentence} from "./problems.js";

const STORED_KEY = "voicegraph-key";
const ROOT = new URL(document.documentElement.dataset.root ?? "", location.href.split("#")[0]);

/**
 * Return the address of a path of the API ("v1/jobs" or "/v1/jobs"), behind whatever prefix the page itself is.
 * @param {string} path
 */
export const address = (path) => new URL(path.replace(/^\//, ""), ROOT);

/**
 * Return the same for WebSocket.
 * @param {string} path
 */
export function socketAddress(path) {
  const url = address(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

export const key = () => sessionStorage.getItem(STORED_KEY);
/** @param {string} value */
export const setKey = (value) => sessionStorage.setItem(STORED_KEY, value);

export const dropKey = () => sessionStorage.removeItem(STORED_KEY);

/** Drop the key and have the page show the sign-in, with a sentence as `reason`. */
export function forgetKey(reason = "") {
  dropKey();
  dispatchEvent(new CustomEvent("signed-out", {detail: reason}));
}

/** An error that a person can do something about; `message` is a sentence in their language. */
export class Problem extends Error {
  /**
   * @param {string} code of the API (docs/api.md), or one of the page's own in problems.js
   * @param {object} [more]
   * @param {number} [more.status] of HTTP; 0 where there was no answer
   * @param {string} [more.detail]
   * @param {string|null} [more.field]
   * @param {number|null} [more.retryAfter] seconds
   * @param {string|null} [more.correlationId]
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

/**
 * Return why a job failed as a Problem; null where it did not.
 * @param {import("./types.js").Job} job
 */
export const problemOf = ({error, correlation_id: correlationId}) =>
  error && new Problem(error.code, {detail: error.message, field: error.field, correlationId});

/** @param {unknown} error */
export const isAbort = (error) => error instanceof Error && error.name === "AbortError";

/**
 * Tell whether an error is an answer with one of these statuses.
 * @param {unknown} error
 * @param {...number} statuses
 */
export const hasStatus = (error, ...statuses) => error instanceof Problem && statuses.includes(error.status);

/**
 * Tell whether an error is a Problem with this code.
 * @param {unknown} error
 * @param {string} code
 */
export const hasCode = (error, code) => error instanceof Problem && error.code === code;

/**
 * Ask the API.
 * @param {string} path
 * @param {Omit<RequestInit, "headers"> & {headers?: Record<string, string>, json?: object}} [options] those of fetch, and
 *   `json`, a body to send as JSON
 * @returns {Promise<Response>} a successful one
 * @throws {Problem} anything else; AbortError where `signal` was used
 */
export async function ask(path, {json, headers = {}, ...options} = {}) {
  /** @type {Record<string, string>} */
  const sent = {...headers, "X-API-Key": key() ?? ""};
  if (json !== undefined) {
    sent["Content-Type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  let response;
  try {
    response = await fetch(address(path), {...options, headers: sent});
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Problem("network");
  }
  if (response.ok) return response;
  throw refusal(response.status, await response.text().catch(() => ""), (name) => response.headers.get(name));
}

/**
 * Ask for JSON. A GET is sent up to three times where the network fails or the service is full.
 * @template {string} Path
 * @param {Path} path
 * @param {Parameters<typeof ask>[1]} [options]
 * @returns {Promise<Answer<Path>>}
 * @throws {Problem} AbortError where `signal` was used
 */
export async function askJson(path, options = {}) {
  const reads = (options.method ?? "GET") === "GET";
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await ask(path, options);
      return /** @type {any} */ (response.status === 204 ? null : await response.json());
    } catch (error) {
      if (!reads || attempt === 3 || !(error instanceof Problem)) throw error;
      if (error.code !== "network" && !hasStatus(error, 429, 503)) throw error;
      await pause(Math.min(error.retryAfter ?? attempt, 5), options.signal);
    }
  }
}

/**
 * Turn an error answer into a Problem; an unknown key signs out.
 * @param {number} status
 * @param {string} text the body
 * @param {(name: string) => string|null} header
 */
export function refusal(status, text, header) {
  /** @type {{code?: string, detail?: string, error?: string, title?: string, field?: string}} */
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

/**
 * Wait; rejects with AbortError when `signal` is used.
 * @param {number} seconds
 * @param {AbortSignal|null} [signal]
 * @returns {Promise<void>}
 */
export function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    }, {once: true});
  });
}

/**
 * Return a sentence on an error; null for an abort, which needs none.
 * @param {unknown} error
 */
export function sentenceOf(error) {
  if (isAbort(error)) return null;
  if (error instanceof Problem) return error.message;
  console.error(error);
  return problemSentence("page_fault", {detail: error instanceof Error ? error.message : String(error)});
}
