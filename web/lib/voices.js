/** Voices by language. */

import {askJson} from "./api.js";

/**
 * Ask for a language's voices. `own`: those that the owner registered, where an engine can imitate a recorded voice;
 * only some can.
 * @param {string} language
 * @param {AbortSignal} signal
 */
export async function voicesOf(language, signal) {
  const {voices, registered} = await askJson(`v1/voices?language=${language}`, {signal});
  return {voices, own: voices.some((voice) => voice.clones) ? registered : []};
}
