/**
 * Uploads with progress, which fetch can't tell.
 * @import {Answer, Fields} from "./types.js"
 */

import {address, key, Problem, refusal} from "./api.js";

/** Make an idempotency key. (crypto.randomUUID is for secure pages only.) */
export function submissionKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Post a form with a file.
 * @template Body
 * @param {string} path of the API
 * @param {Fields} fields by name; empty ones (null, undefined, "") are left out
 * @param {File} file
 * @param {object} [options]
 * @param {(share: number) => void} [options.onProgress] 0 to 1
 * @param {AbortSignal} [options.signal]
 * @param {string} [options.idempotencyKey] sending the same again with the same key makes no second job
 * @returns {Promise<Body>} the answer's JSON
 * @throws {Problem} "network" where it did not arrive, or the API's refusal; AbortError
 */
export function upload(path, fields, file, {onProgress = () => {}, signal, idempotencyKey} = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined && value !== "") form.append(name, String(value));
  }
  form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    request.setRequestHeader("X-API-Key", key() ?? "");
    if (idempotencyKey) request.setRequestHeader("Idempotency-Key", idempotencyKey);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(request.responseText ? JSON.parse(request.responseText) : null);
      } else {
        reject(refusal(request.status, request.responseText, (name) => request.getResponseHeader(name)));
      }
    });
    request.addEventListener("error", () => reject(new Problem("network")));
    request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    signal?.addEventListener("abort", () => request.abort(), {once: true});
    if (signal?.aborted) reject(new DOMException("aborted", "AbortError"));
    else request.send(form);
  });
}
