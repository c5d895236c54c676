/** The recording of a job as a player without a face: all of it, or stretches of it one after another. */

import {sentenceOf} from "./api.js";
import {speaker} from "./i18n.js";
import {jobMedia} from "./job-media.js";
import {exclusive} from "./media.js";

const t = speaker({
  en: {gone: "The recording is not kept any more, so it can't be heard here."},
  ru: {gone: "Запись больше не хранится, прослушать её здесь нельзя."},
});

export const WHOLE = "whole";

/** Events: "change" (what plays, whether it can), "time". */
export class RecordingPlayer extends EventTarget {
  #audio = exclusive(new Audio());
  #source;
  #plan = null;
  #stretch = 0;
  #frame = 0;

  /** A sentence, where the recording can't be played. */
  problem = "";
  ready = false;
  /** Where browsers save it from (`keepDownload`); null until it is known. */
  downloadUrl = null;

  constructor(jobId, signal) {
    super();
    this.#source = jobMedia(this.#audio, {
      jobId, name: "recording", signal,
      onAddress: ({downloadUrl}) => { this.downloadUrl = downloadUrl; },
      onFault: (error) => this.#say([404, 410].includes(error.status) ? t("gone") : sentenceOf(error)),
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

  /** Ask for the recording's address. What goes wrong is told by `problem`. */
  async load() {
    this.problem = "";
    this.#changed();
    await this.#source.load();
  }

  /** Have a link to `downloadUrl` work for as long as the page is open. */
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

  #say(sentence) {
    if (!sentence) return;
    this.problem = sentence;
    this.ready = false;
    this.#changed();
  }
}
