/**
 * A player without controls for the recording of a job: all of it, or stretches of it one after another.
 * @import {Stretch} from "./types.js"
 */

import {hasStatus, sentenceOf} from "./api.js";
import {translations} from "./i18n.js";
import {jobMedia} from "./job-media.js";
import {exclusive} from "./media.js";

const t = translations({
  en: {gone: "The recording is not kept any more, so it can't be heard here."},
  ru: {gone: "Запись больше не хранится, прослушать её здесь нельзя."},
});

export const WHOLE = "whole";

/** Events: "change" (what plays, whether it can), "time". */
export class RecordingPlayer extends EventTarget {
  #audio = exclusive(new Audio());
  #source;
  /** @type {{name: string, stretches: Stretch[]|null}|null} */
  #plan = null;
  #stretch = 0;
  #frame = 0;

  /** A sentence, where the recording can't be played. */
  problem = "";
  ready = false;
  /**
   * Address from which browsers save it (`keepDownload`); null until it is known.
   * @type {string|null}
   */
  downloadUrl = null;

  /**
   * @param {string} jobId
   * @param {AbortSignal} signal after which nothing plays
   */
  constructor(jobId, signal) {
    super();
    this.#source = jobMedia(this.#audio, {
      jobId, name: "recording", signal,
      onAddress: ({downloadUrl}) => { this.downloadUrl = downloadUrl; },
      onFault: (error) => this.#say(hasStatus(error, 404, 410) ? t("gone") : sentenceOf(error)),
    });
    this.#audio.preload = "metadata";
    for (const event of ["play", "pause", "ended"]) this.#audio.addEventListener(event, () => this.#changed());
    this.#audio.addEventListener("timeupdate", () => this.#moved());
    this.#audio.addEventListener("seeked", () => this.#moved());
    this.#audio.addEventListener("loadedmetadata", () => {
      this.ready = true;
      this.#changed();
    });
    signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame), {once: true});
  }

  /** Ask for the recording's address. A failure is told by `problem`. */
  async load() {
    this.problem = "";
    this.#changed();
    await this.#source.load();
  }

  /**
   * Have a link to `downloadUrl` work for as long as the page is open.
   * @param {HTMLAnchorElement} link
   */
  keepDownload(link) {
    this.#source.keep(link);
    return link;
  }

  /** Name of what is playing; null for nothing. */
  get playing() {
    return this.#audio.paused ? null : this.#plan?.name ?? null;
  }

  get seconds() {
    return this.#audio.currentTime;
  }

  /** Length in seconds, as the browser finds it; null where it does not. */
  get duration() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : null;
  }

  /**
   * Play, or pause what plays by this name.
   * @param {string} name WHOLE goes on from where the sound stands
   * @param {Stretch[]|null} [stretches] from the first one's start to the last one's end
   */
  async toggle(name, stretches = null) {
    if (this.playing === name) {
      this.#audio.pause();
      return;
    }
    this.#plan = {name, stretches};
    this.#stretch = 0;
    if (stretches) this.#audio.currentTime = stretches[0].start;
    else if (this.#audio.ended) this.#audio.currentTime = 0;
    if (!this.#audio.paused) this.#changed();
    try {
      await this.#audio.play();
    } catch (error) {
      // A pause that came before the first sound; anything else has been told by "error".
      if (error instanceof Error && error.name === "NotAllowedError") this.#say(sentenceOf(error));
    }
  }

  pause() {
    this.#audio.pause();
  }

  /** @param {number} times speed, 1 as it was recorded */
  set rate(times) {
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = times;
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.#audio.currentTime = seconds;
    this.#moved();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    cancelAnimationFrame(this.#frame);
    if (!this.#audio.paused) this.#tick();
  }

  // "timeupdate" comes four times a second; frames are exact, but stand still in hidden tabs.
  #tick() {
    this.#frame = requestAnimationFrame(() => {
      this.#moved();
      if (!this.#audio.paused) this.#tick();
    });
  }

  #moved() {
    const stretches = this.#plan?.stretches;
    const {paused, seeking, currentTime} = this.#audio;
    if (stretches && !paused && !seeking && currentTime >= stretches[this.#stretch].end) {
      if (++this.#stretch < stretches.length) this.#audio.currentTime = stretches[this.#stretch].start;
      else {
        this.#stretch--;
        this.#audio.pause();
      }
    }
    this.dispatchEvent(new Event("time"));
  }

  /** @param {string|null} sentence */
  #say(sentence) {
    if (!sentence) return;
    this.problem = sentence;
    this.ready = false;
    this.#changed();
  }
}
