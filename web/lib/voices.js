/** The voices that a language can be spoken with. */

import {askJson} from "./api.js";

/**
 * Ask for a language's voices.
 * @returns {Promise<{voices: object[], own: object[]}>} `own`: those that the owner registered, where an engine can
 *   sound like somebody who was recorded; only some can
 */
export async function voicesOf(language, signal) {
  const {voices, registered} = await askJson(`v1/voices?language=${language}`, {signal});
  return {voices, own: voices.some((voice) => voice.clones) ? registered : []};
}
