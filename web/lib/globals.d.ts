/** What the page uses of browsers, and the DOM library of the type checker does not have. */

interface WindowEventMap {
  /** The key was dropped; `detail` is a sentence on why, or "". */
  "signed-out": CustomEvent<string>;
}

interface Window {
  /** WebKit's MediaSource for phones. */
  ManagedMediaSource?: typeof MediaSource;
}

// The scope of an audio worklet.
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
