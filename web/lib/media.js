/** Sound and films of jobs, in elements that can't send a key; one of them plays at a time. */

import {address, askJson} from "./api.js";

/**
 * Ask for an address of a job's "recording", "translation.wav" or "avatar.mp4" that works for an hour without the key.
 * @param {string} jobId
 * @param {string} name
 * @param {AbortSignal} signal
 */
export async function mediaOf(jobId, name, signal) {
  const given = await askJson(`v1/jobs/${jobId}/media/${name}`, {method: "POST", signal});
  const url = address(given.url);
  const download = new URL(url);
  download.searchParams.set("download", "1");
  return {
    url: url.href, downloadUrl: download.href, contentType: given.content_type, size: given.size,
    filename: given.filename,
  };
}

/** @type {{pause: () => void}|null} */
let playing = null;

/**
 * Make a player one of those of which only one plays.
 * @template {HTMLMediaElement} Media
 * @param {Media} media
 */
export function exclusive(media) {
  media.addEventListener("play", () => takeTurn(media));
  return media;
}

/**
 * Pause the player that plays now, since this one begins.
 * @param {{pause: () => void}} media
 */
export function takeTurn(media) {
  if (playing && playing !== media) playing.pause();
  playing = media;
}

/**
 * Stop, and release what was played.
 * @param {HTMLMediaElement} media
 */
export function unload(media) {
  media.pause();
  media.removeAttribute("src");
  media.load();
}

/**
 * Play from one second to another, then pause.
 * @param {HTMLMediaElement} media
 * @param {number} start
 * @param {number} end
 * @returns {Promise<() => void>} stops watching for the end
 */
export function playSpan(media, start, end) {
  const stop = () => {
    media.removeEventListener("timeupdate", check);
    media.removeEventListener("pause", stop);
    cancelAnimationFrame(frame);
  };
  let frame = 0;
  // "timeupdate" comes four times a second; frames are exact, but stand still in hidden tabs.
  const check = () => {
    if (media.currentTime >= end) {
      stop();
      media.pause();
    }
  };
  const tick = () => {
    frame = requestAnimationFrame(tick);
    check();
  };
  media.pause();
  media.currentTime = start;
  return media.play().then(() => {
    media.addEventListener("timeupdate", check);
    media.addEventListener("pause", stop);
    tick();
    return stop;
  });
}

/**
 * Let a person save a blob as a file.
 * @param {Blob} blob
 * @param {string} filename
 */
export function save(blob, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
