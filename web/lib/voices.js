/**
 * Voices by language, and a button to hear one.
 * @import {RegisteredVoice, Voice} from "./types.js"
 */

import {ask, askJson, isAbort, sentenceOf} from "./api.js";
import {extend, fill, h, icon} from "./dom.js";
import {languageTitle, translations} from "./i18n.js";

const t = translations({
  en: {male: "male", female: "female", hear: "Hear this voice", stop: "Stop"},
  ru: {male: "мужской", female: "женский", hear: "Послушать этот голос", stop: "Остановить"},
});

/**
 * Ask for a language's voices, its default first. `own`: those that the owner registered, where an engine can imitate a
 * recorded voice; only some can.
 * @param {string} language
 * @param {AbortSignal} signal
 */
export async function voicesOf(language, signal) {
  const {voices, registered} = await askJson(`v1/voices?language=${language}`, {signal});
  return {voices, own: voices.some((voice) => voice.clones) ? registered : []};
}

/**
 * Return what a list shows of a voice: its name, its region or language and its gender, as far as its name lacks them.
 * @param {Voice} voice
 */
export function voiceTitle({name, languages: [code], gender}) {
  const base = new Intl.DisplayNames(["en"], {type: "language"}).of(code.split("-")[0]) ?? code;
  const known = name.toLowerCase();
  return [
    name,
    known.startsWith(base.toLowerCase()) ? "" : languageTitle(code),
    gender && !known.includes(gender) ? t(gender) : "",
  ].filter(Boolean).join(" · ");
}

/**
 * Make a button that plays a sample of the voice that a list stands on; "" in the list is the language's default.
 * @param {HTMLSelectElement} select
 * @param {AbortSignal} signal
 */
export function sampleButton(select, signal) {
  /** @type {Voice[]} */
  let voices = [];
  /** @type {HTMLAudioElement|null} */
  let sound = null;
  /** @type {AbortController|null} */
  let asking = null;
  const chosen = () => select.value ? voices.find(({id}) => id === select.value) : voices[0];
  const button = h("button", {type: "button", class: "quiet small icon-only", on: {click: toggle}});

  function draw() {
    const busy = Boolean(asking || sound);
    const words = t(busy ? "stop" : "hear");
    button.disabled = !busy && !chosen()?.sample;
    button.title = words;
    button.setAttribute("aria-label", words);
    fill(button, icon(busy ? "stop" : "play"));
  }

  function stop() {
    asking?.abort();
    sound?.pause();
    if (sound) URL.revokeObjectURL(sound.src);
    asking = sound = null;
    draw();
  }

  async function toggle() {
    if (asking || sound) {
      stop();
      return;
    }
    const path = chosen()?.sample;
    if (!path) return;
    const mine = asking = new AbortController();
    draw();
    try {
      const file = await (await ask(path, {signal: mine.signal})).blob();
      if (asking !== mine) return;
      asking = null;
      sound = new Audio(URL.createObjectURL(file));
      sound.addEventListener("ended", stop);
      sound.addEventListener("error", stop);
      draw();
      await sound.play();
    } catch (error) {
      if (isAbort(error) || asking !== mine && !sound) return;
      stop();
      button.title = sentenceOf(error) ?? button.title;
    }
  }

  select.addEventListener("change", stop);
  signal.addEventListener("abort", stop);
  draw();
  return extend(button, {
    /** @param {Voice[]} those of the list, the language's default first */
    offer(those) {
      voices = those;
      stop();
    },
  });
}
