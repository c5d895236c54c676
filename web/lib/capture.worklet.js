/** Sends the first channel of the microphone to the page, in pieces of about 40 ms. */
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(Math.ceil(sampleRate * 0.04 / 128) * 128);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs channels of each */
  process([[channel]]) {
    if (!channel) return true;
    this.piece.set(channel, this.filled);
    this.filled += channel.length;
    if (this.filled === this.piece.length) {
      this.port.postMessage(this.piece.slice());
      this.filled = 0;
    }
    return true;
  }
}

registerProcessor("capture", Capture);
