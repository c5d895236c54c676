/** The recording of a job as a player without a face: all of it, or stretches of it one after another. */

import {sentenceOf} from "./api.js";
import {speaker} from "./i18n.js";
import {exclusive, mediaOf} from "./media.js";
import {problemSentence} from "./problems.js";

const t = speaker({
  en: {gone: "The recording is not kept any more, so it can't be heard here."},
  ru: {gone: "Запись больше не хранится, прослушать её здесь нельзя."},
});

// Addresses work for an hour.
const STALE_MS = 55 * 60 * 1000;

export const WHOLE = "whole";

/** Events: "change" (what plays, whether it can), "time". */
export class RecordingPlayer extends EventTarget {
  #audio = exclusive(new Audio());
  #jobId;
  #signal;
  #plan = null;
  #stretch = 0;
  #frame = 0;
  #addressed = 0;

  /** A sentence, where the recording can't be played. */
  problem = "";
  ready = false;
  /** Where browsers save it from; null until it is known. */
  downloadUrl = null;

  constructor(jobId, signal) {
    super();
    this.#jobId = jobId;
    this.#signal = signal;
    this.#audio.preload = "metadata";
    for (const event of ["play", "pause", "ended"]) this.#audio.addEventListener(event, () => this.#changed());
    this.#audio.addEventListener("timeupdate", () => this.#moved());
    this.#audio.addEventListener("seeked", () => this.#moved());
    this.#audio.addEventListener("loadedmetadata", () => {
      this.ready = true;
      this.#changed();
    });
    this.#audio.addEventListener("error", () => this.#failed());
    signal.addEventListener("abort", () => this.#end(), {once: true});
  }

  /** Ask for the recording's address. What goes wrong is told by `problem`. */
  async load() {
    const at = this.#audio.currentTime;
    this.problem = "";
    this.#changed();
    try {
      const {url, downloadUrl} = await mediaOf(this.#jobId, "recording", this.#signal);
      this.downloadUrl = downloadUrl;
      this.#addressed = Date.now();
      this.#audio.src = url;
      if (at) this.#audio.currentTime = at;
    } catch (error) {
      this.#say([404, 410].includes(error.status) ? t("gone") : sentenceOf(error));
    }
  }

  /** Name of what is playing; null for nothing. */
  get playing() {
    return this.#audio.paused ? null : this.#plan?.name ?? null;
  }

  get seconds() {
    return this.#audio.currentTime;
  }

  /** Length, as the browser finds it; null where it does not. */
  get duration() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : null;
  }

  /**
   * Play, or pause what plays by this name.
   * @param {string} name WHOLE goes on from where the sound stands
   * @param {Array<{start: number, end: number}>} [stretches] from the first one's start to the last one's end
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
      if (error.name === "NotAllowedError") this.#say(sentenceOf(error));
    }
  }

  pause() {
    this.#audio.pause();
  }

  /** How many times as fast as it was recorded. */
  set rate(times) {
    this.#audio.defaultPlaybackRate = this.#audio.playbackRate = times;
  }

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

  #failed() {
    if (this.#signal.aborted) return;
    if (this.ready && Date.now() - this.#addressed > STALE_MS) this.#renew();
    else this.#say(problemSentence(this.#audio.error.code === MediaError.MEDIA_ERR_NETWORK ? "network" : "unplayable"));
  }

  async #renew() {
    const plays = this.#plan;
    await this.load();
    if (plays && !this.problem) this.#audio.play().catch(() => {});
  }

  #say(sentence) {
    if (!sentence) return;
    this.problem = sentence;
    this.ready = false;
    this.#changed();
  }

  #end() {
    cancelAnimationFrame(this.#frame);
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    this.#audio.load();
  }
}
