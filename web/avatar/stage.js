/**
 * The picture of a face, in whose place its film plays; the measurements, and the film as a file.
 * @import {Avatar} from "../lib/types.js"
 */

import {sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {play} from "../lib/film-player.js";
import {bytes, duration, translations} from "../lib/i18n.js";
import {jobMedia} from "../lib/job-media.js";
import {exclusive, unload} from "../lib/media.js";
import {problemSentence} from "../lib/problems.js";

const t = translations({
  en: {
    stage: "The film", face: "The face: {name}", film: "The film", facts: "What was measured",
    first: "First picture after", total: "Complete after", length: "Length", size: "Size",
    waiting: "Waiting for the first picture…", playing: "It plays while the rest is being made.",
    complete: "The film is complete.",
    play: "Play again", download: "Download", stop: "Stop", press: "Press play to watch it.",
  },
  ru: {
    stage: "Видео", face: "Лицо: {name}", film: "Видео", facts: "Измерено",
    first: "Первый кадр через", total: "Готово через", length: "Длительность", size: "Размер файла",
    waiting: "Ждём первый кадр…", playing: "Видео уже идёт, остальное ещё создаётся.", complete: "Видео готово.",
    play: "Смотреть ещё раз", download: "Скачать", stop: "Остановить",
    press: "Нажмите воспроизведение, чтобы посмотреть.",
  },
});

const FACTS = /** @type {const} */ (["first", "total", "length", "size"]);

/**
 * Make the stage.
 * @param {object} options
 * @param {AbortSignal} options.signal after which nothing plays
 * @param {() => void} options.onStop the film that is being made shall end
 */
export function stage({signal, onStop}) {
  const picture = h("img", {class: "avatar-picture", hidden: true});
  const video = exclusive(h("video", {
    class: "avatar-video", playsinline: true, controls: true, hidden: true, preload: "auto", "aria-label": t("film"),
    on: {
      loadeddata: appear, durationchange: measureLength, ended: disappear, error: fail, "play-refused": askToPlay,
    },
  }));
  const frame = h("div", {class: "avatar-frame"}, icon("avatar"), picture, video);
  const status = h("p", {class: "hint", role: "status"});
  const stop = h("button", {type: "button", class: "quiet small", on: {click: onStop}}, icon("stop"), t("stop"));
  const making = h("div", {class: "row", hidden: true},
    h("span", {class: "avatar-spinner", "aria-hidden": "true"}), stop);
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const values = {first: h("dd"), total: h("dd"), length: h("dd"), size: h("dd")};
  const factRow = (/** @type {keyof typeof values} */ name) => h("div", {}, h("dt", {}, t(name)), values[name]);
  const rows = {
    first: factRow("first"), total: factRow("total"), length: factRow("length"), size: factRow("size"),
  };
  const facts = h("dl", {class: "avatar-facts", "aria-label": t("facts"), hidden: true}, Object.values(rows));
  const again = h("button", {type: "button", on: {click: replay}}, icon("play"), t("play"));
  const download = h("a", {class: "button quiet"}, icon("download"), t("download"));
  const actions = h("div", {class: "row", hidden: true}, again, download);
  const below = h("div", {class: "avatar-below", hidden: true},
    h("div", {class: "row spread"}, status, making), fault, actions, facts);
  const element = h("section", {class: "card avatar-stage", "aria-label": t("stage")}, frame, below);
  /** @type {number|null} */
  let began = null;
  let isComplete = false;
  /** @type {string|null} */
  let url = null;
  /** @type {AbortController|null} */
  let shown = null;
  signal.addEventListener("abort", clear, {once: true});

  /**
   * @param {keyof typeof values} name
   * @param {string|null} value
   */
  function fact(name, value) {
    fill(values[name], value ?? "");
    rows[name].hidden = value === null;
    facts.hidden = FACTS.every((one) => rows[one].hidden);
  }

  /** @param {boolean} toFilm */
  function swap(toFilm) {
    video.hidden = !toFilm;
    picture.hidden = toFilm || !picture.src;
  }

  function clear() {
    began = null;
    isComplete = false;
    if (url) URL.revokeObjectURL(url);
    url = null;
    shown?.abort();
    shown = null;
    unload(video);
    swap(false);
    below.hidden = actions.hidden = fault.hidden = making.hidden = true;
    for (const name of FACTS) fact(name, null);
    fill(status);
  }

  function appear() {
    swap(true);
    if (began === null || values.first.textContent) return;
    fact("first", since());
    if (!isComplete) fill(status, t("playing"));
  }

  function askToPlay() {
    swap(true);
    fill(status, t("press"));
  }

  /** Show the picture again after the film. */
  function disappear() {
    const watched = document.activeElement === video;
    if (document.fullscreenElement === video) document.exitFullscreen();
    swap(false);
    if (watched) again.focus();
  }

  function measureLength() {
    if (isComplete && Number.isFinite(video.duration)) fact("length", duration(video.duration));
  }

  function fail() {
    if (isComplete && video.error && !shown) say(problemSentence("unplayable"));
  }

  /** @param {string|null} sentence */
  function say(sentence) {
    swap(false);
    again.hidden = true;
    below.hidden = fault.hidden = false;
    fill(fault, sentence);
  }

  function replay() {
    swap(true);
    video.currentTime = 0;
    video.play().catch(() => {});
  }

  const since = () => duration((performance.now() - (began ?? performance.now())) / 1000);

  /**
   * @param {string} href
   * @param {string} filename
   */
  function offer(href, filename) {
    const stopping = document.activeElement === stop;
    isComplete = true;
    making.hidden = true;
    download.href = href;
    download.download = filename;
    actions.hidden = again.hidden = false;
    if (stopping) again.focus();
    measureLength();
  }

  return extend(element, {
    video, stop, clear,
    /**
     * Show a face.
     * @param {Pick<Avatar, "name"|"width"|"height">} avatar
     * @param {string|null} pictureUrl
     */
    face({name, width, height}, pictureUrl) {
      picture.alt = t("face", {name});
      frame.style.setProperty("--ratio", String(width / height));
      if (pictureUrl) {
        picture.src = video.poster = pictureUrl;
      } else {
        picture.removeAttribute("src");
        video.removeAttribute("poster");
      }
      if (video.hidden) swap(false);
    },
    /** Wait for a film; `stop` is the button against it. */
    begin() {
      clear();
      began = performance.now();
      below.hidden = making.hidden = false;
      fill(status, t("waiting"));
    },
    /**
     * Offer a film that has arrived to its end.
     * @param {Awaited<ReturnType<typeof import("../lib/film-player.js").playArriving>>} arrived
     * @param {string} filename
     */
    complete({film, plays}, filename) {
      fact("total", since());
      fact("size", bytes(film.size));
      fill(status, t("complete"));
      url = URL.createObjectURL(film);
      offer(url, filename);
      if (plays) return;
      const seen = video.currentTime;
      video.src = url;
      video.currentTime = seen;
      play(video);
    },
    /**
     * Show the film of a job.
     * @param {{jobId: string, name: string, seconds: number}} film
     */
    show({jobId, name, seconds}) {
      clear();
      shown = new AbortController();
      const source = jobMedia(video, {
        jobId, name, signal: shown.signal,
        onAddress({downloadUrl, filename, size}) {
          below.hidden = false;
          fill(status, t("complete"));
          offer(downloadUrl, filename);
          fact("length", duration(seconds));
          fact("size", bytes(size));
        },
        onFault: (error) => say(sentenceOf(error)),
      });
      source.keep(download);
      source.load().then((found) => { if (found) play(video); });
    },
  });
}
