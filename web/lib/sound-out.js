/** Plays speech that arrives in pieces, without gaps, and stops at once when told to. */

import {takeTurn} from "./media.js";
import {loudness} from "./microphone.js";

/** Enough for the next piece to arrive in time; heard as no delay. */
const LEAD_SECONDS = 0.05;
const FADE_SECONDS = 0.01;
const LOOK_MS = 25;

/**
 * Make an output. Create it, or play to it, in reply to a gesture: browsers keep pages silent until there was one.
 * @template Piece whatever the caller wants to be told of
 * @param {object} options
 * @param {number} options.sampleRate of what is played, Hz
 * @param {AbortSignal} [options.signal] ends it
 * @param {(piece: Piece, at: number) => void} [options.onBegin] the sound of a piece begins, at performance.now() `at`
 * @param {(piece: Piece) => void} [options.onEnd] it is over
 * @param {() => void} [options.onIdle] all has been heard
 * @param {(blocked: boolean) => void} [options.onBlocked] sound waits for a gesture
 */
export function soundOut({
  sampleRate, signal, onBegin = () => {}, onEnd = () => {}, onIdle = () => {}, onBlocked = () => {},
}) {
  // At the rate of the speech, pieces meet at whole samples: nothing is resampled at their seams.
  const context = new AudioContext({sampleRate, latencyHint: "interactive"});
  const meter = new AnalyserNode(context, {fftSize: 512});
  meter.connect(context.destination);
  const wave = new Float32Array(meter.fftSize);
  let gain = opened();
  /** @type {{source: AudioBufferSourceNode, piece: Piece, begins: number, ends: number, begun: boolean}[]} */
  let queue = [];
  let next = 0;
  let timer = 0;
  let blocked = false;

  function opened() {
    const node = new GainNode(context);
    node.connect(meter);
    return node;
  }

  function wake() {
    if (context.state === "suspended") context.resume().catch(() => {});
  }

  wake();
  addEventListener("pointerdown", wake, {signal});
  addEventListener("keydown", wake, {signal});
  context.addEventListener("statechange", look);
  signal?.addEventListener("abort", () => {
    clearInterval(timer);
    context.close();
  }, {once: true});

  /** Tell what has begun and ended by now; timers stand for the clock of the sound, which has no events. */
  function look() {
    if (context.state === "closed") return;
    const now = context.currentTime - (context.outputLatency || 0);
    const waits = queue.length > 0 && context.state === "suspended";
    if (waits !== blocked) {
      blocked = waits;
      onBlocked(blocked);
    }
    for (const entry of [...queue]) {
      if (entry.begins > now || context.state !== "running") break;
      if (!entry.begun) {
        entry.begun = true;
        onBegin(entry.piece, performance.now() - (now - entry.begins) * 1000);
      }
      if (entry.ends > now) break;
      queue.shift();
      onEnd(entry.piece);
    }
    if (!queue.length && timer) {
      clearInterval(timer);
      timer = 0;
      onIdle();
    }
  }

  const output = {
    get playing() {
      return queue.length > 0;
    },

    /**
     * @param {Int16Array} samples
     * @param {Piece} piece
     */
    play(samples, piece) {
      if (!samples.length || context.state === "closed") return;
      const buffer = new AudioBuffer({length: samples.length, sampleRate});
      buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
      const source = new AudioBufferSourceNode(context, {buffer});
      source.connect(gain);
      const begins = Math.max(next, context.currentTime + LEAD_SECONDS);
      source.start(begins);
      next = begins + samples.length / sampleRate;
      queue.push({source, piece, begins, ends: next, begun: false});
      takeTurn(output);
      timer ||= setInterval(look, LOOK_MS);
      look();
    },

    /** Stop; returns the pieces that were not heard to their end. */
    drop() {
      const unheard = queue;
      queue = [];
      next = 0;
      clearInterval(timer);
      timer = 0;
      if (blocked) onBlocked(blocked = false);
      if (!unheard.length) return [];
      // A few milliseconds of fading, since a cut clicks.
      const silenced = gain;
      silenced.gain.setTargetAtTime(0, context.currentTime, FADE_SECONDS / 4);
      for (const {source} of unheard) source.stop(context.currentTime + FADE_SECONDS);
      gain = opened();
      setTimeout(() => silenced.disconnect(), 100);
      return unheard.map(({piece}) => piece);
    },

    /** Called by takeTurn() when another player begins. */
    pause() { output.drop(); },

    /** Return how loud it is right now, 0 to 1. */
    level() {
      meter.getFloatTimeDomainData(wave);
      return loudness(wave);
    },
  };
  return output;
}
