/** Plays a film while it arrives: fragments of MP4, fed to the browser's MediaSource as they come. */

const KINDS = [window.MediaSource, window.ManagedMediaSource];

/**
 * Play what arrives, from its first fragment on.
 * @param {HTMLVideoElement} video
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @returns {Promise<{film: Blob, plays: boolean}>} the whole film, and whether the element has all of it: a browser
 *   that can't play what arrives, or gives up on the way, is to be given the file
 * @throws whatever the stream throws, where it breaks off
 */
export async function playArriving(video, body) {
  const feeder = new Feeder(video);
  const pieces = [];
  const reader = body.getReader();
  try {
    for (;;) {
      const {done, value} = await reader.read();
      if (done) break;
      pieces.push(value);
      feeder.add(value);
    }
  } finally {
    feeder.end();
  }
  return {film: new Blob(pieces, {type: "video/mp4"}), plays: feeder.plays};
}

/**
 * Play what an element has; where the person has to press play first, it gets the event "play-refused".
 * @param {HTMLVideoElement} video
 */
export function play(video) {
  video.play().catch((error) => {
    if (error.name === "NotAllowedError") video.dispatchEvent(new Event("play-refused"));
  });
}

class Feeder {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  waiting = [];
  /** @type {MediaSource|null} */
  source = null;
  /** @type {SourceBuffer|null} */
  buffer = null;
  ended = false;
  failed = false;

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
  }

  /** @param {Uint8Array<ArrayBuffer>} piece */
  add(piece) {
    if (this.failed) return;
    this.waiting.push(piece);
    if (this.source) this.feed();
    else this.open();
  }

  /** The film's header tells what it is; until it is there, nothing can be opened. */
  open() {
    const type = mediaType(joined(this.waiting));
    if (!type) return;
    const Source = KINDS.find((kind) => kind?.isTypeSupported(type));
    if (!Source) {
      this.failed = true;
      return;
    }
    const source = this.source = new Source();
    // Without this a ManagedMediaSource never opens.
    if (Source !== window.MediaSource) this.video.disableRemotePlayback = true;
    const url = URL.createObjectURL(source);
    source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(url);
      this.buffer = source.addSourceBuffer(type);
      this.buffer.addEventListener("updateend", () => this.feed());
      this.feed();
    }, {once: true});
    this.video.src = url;
    play(this.video);
  }

  feed() {
    if (!this.source || !this.buffer || this.buffer.updating || this.source.readyState !== "open") return;
    try {
      if (this.waiting.length) this.buffer.appendBuffer(joined(this.waiting.splice(0)));
      else if (this.ended) this.source.endOfStream();
    } catch {
      // It takes no more of it; the film is played from its file when it is complete.
      this.failed = true;
    }
  }

  end() {
    this.ended = true;
    this.feed();
  }

  get plays() {
    return this.source !== null && !this.failed && !this.video.error;
  }
}

/**
 * Return the film's codecs by the names that MediaSource takes; null until its header is there.
 * @param {Uint8Array} bytes
 */
function mediaType(bytes) {
  for (let i = 4; i + 8 <= bytes.length; i++) {
    if (bytes[i] === 0x61 && bytes[i + 1] === 0x76 && bytes[i + 2] === 0x63 && bytes[i + 3] === 0x43) { // "avcC"
      const profile = [5, 6, 7].map((step) => bytes[i + step].toString(16).padStart(2, "0")).join("");
      return `video/mp4; codecs="avc1.${profile}, mp4a.40.2"`;
    }
  }
  return null;
}

/** @param {Uint8Array[]} pieces */
function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let filled = 0;
  for (const piece of pieces) {
    all.set(piece, filled);
    filled += piece.length;
  }
  return all;
}
