/** A job's sound or film in a player, also after the hour for which an address of it works. */

import {Problem} from "./api.js";
import {mediaOf, unload} from "./media.js";

const STALE_MS = 55 * 60_000;

/**
 * Give a media element a job's sound or film. Where its address has expired it gets another, and goes on from where it was.
 * @param {HTMLMediaElement} media
 * @param {object} options
 * @param {string} options.jobId
 * @param {string} options.name as mediaOf() has it
 * @param {AbortSignal} options.signal after which nothing plays
 * @param {(given: Awaited<ReturnType<typeof mediaOf>>) => void} options.onAddress
 * @param {(error: unknown) => void} options.onFault it could not be fetched, or not be played
 * @returns {{load: () => Promise<boolean>, keep: (link: HTMLAnchorElement) => void}} `load` asks for an address, anew if
 *   need be; `keep` makes a link to `downloadUrl` one that does not expire
 */
export function jobMedia(media, {jobId, name, signal, onAddress, onFault}) {
  let askedAt = 0;
  const isStale = () => askedAt > 0 && Date.now() - askedAt > STALE_MS;

  async function load() {
    let given;
    try {
      given = await mediaOf(jobId, name, signal);
    } catch (error) {
      if (!signal.aborted) onFault(error);
      return false;
    }
    askedAt = Date.now();
    const [at, playing] = [media.currentTime, !media.paused];
    media.src = given.url;
    if (at) media.currentTime = at;
    onAddress(given);
    // A pause that comes before the first sound is no fault; all else is told by "error".
    if (playing) media.play().catch(() => {});
    return true;
  }

  media.addEventListener("error", () => {
    if (isStale()) load();
    else onFault(new Problem(media.error?.code === MediaError.MEDIA_ERR_NETWORK ? "network" : "unplayable"));
  }, {signal});
  signal.addEventListener("abort", () => unload(media), {once: true});

  return {
    load,
    keep(link) {
      link.addEventListener("click", async (event) => {
        if (!isStale()) return;
        event.preventDefault();
        if (await load()) link.click();
      }, {signal});
    },
  };
}
