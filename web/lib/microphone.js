/** The microphone, as samples. */

import {pause, Problem} from "./api.js";

// Without a way to play sound, some browsers never start what would record it either, and never say so.
const START_S = 10;

/**
 * Open the microphone.
 * @param {(samples: Float32Array) => void} onSamples mono, at `sampleRate`, about 40 ms each
 * @param {object} [options]
 * @param {boolean} [options.echoCancellation] also noise suppression; off for judging a voice
 * @param {() => void} [options.onEnd] it was unplugged, or the person took the permission back
 * @returns {Promise<{sampleRate: number, close: () => void}>}
 * @throws {Problem} microphone_denied, microphone_missing, microphone_busy, microphone_insecure
 */
export async function openMicrophone(onSamples, {echoCancellation = true, onEnd = () => {}} = {}) {
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) throw new Problem("microphone_insecure");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: {channelCount: 1, echoCancellation, noiseSuppression: echoCancellation, autoGainControl: echoCancellation},
    });
  } catch (error) {
    /** @type {Record<string, string>} */
    const codes = {
      NotAllowedError: "microphone_denied", SecurityError: "microphone_denied", NotFoundError: "microphone_missing",
      // WebKit's word for it, as nothing is demanded here.
      OverconstrainedError: "microphone_missing",
    };
    throw new Problem((error instanceof Error && codes[error.name]) || "microphone_busy");
  }
  for (const track of stream.getTracks()) track.addEventListener("ended", onEnd);
  const context = new AudioContext();
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    if (context.state !== "closed") context.close();
  };
  try {
    await context.audioWorklet.addModule(new URL("capture.worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "capture", {numberOfOutputs: 0});
    node.port.onmessage = ({data}) => onSamples(data);
    context.createMediaStreamSource(stream).connect(node);
    await Promise.race([context.resume(), pause(START_S).then(() => { throw new Problem("microphone_busy"); })]);
  } catch (error) {
    close();
    throw error;
  }
  return {sampleRate: context.sampleRate, close};
}

/**
 * Measure how loud samples are, 0 to 1, linear in decibels: -60 dBFS is 0.
 * @param {Float32Array} samples
 */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, 1 + decibels / 60));
}

/**
 * Convert float samples to 16-bit ones.
 * @param {Float32Array} samples
 */
export function pcm16(samples) {
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) pcm[i] = Math.max(-1, Math.min(1, samples[i])) * 32767;
  return pcm;
}

/**
 * Make a WAV file of pieces of 16-bit mono samples.
 * @param {Int16Array<ArrayBuffer>[]} pieces
 * @param {number} sampleRate
 * @param {string} name
 */
export function wavFile(pieces, sampleRate, name) {
  const size = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
  const header = new DataView(new ArrayBuffer(44));
  const ascii = (/** @type {number} */ at, /** @type {string} */ text) => [...text].forEach((letter, i) => header.setUint8(at + i, letter.charCodeAt(0)));
  ascii(0, "RIFF");
  header.setUint32(4, 36 + size, true);
  ascii(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, sampleRate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  ascii(36, "data");
  header.setUint32(40, size, true);
  return new File([header, ...pieces], name, {type: "audio/wav"});
}
