/**
 * A conversation over the live connection: its turns, and the sound of the replies.
 * @import {LiveEvent, LiveStart, LiveState, TurnEvent, TurnTimings} from "../lib/types.js"
 * @import {Clause, Conversation, Times} from "./conversation.js"
 * @typedef {object} Turn Moments are those of performance.now().
 * @property {ReturnType<Conversation["heard"]>|null} heard
 * @property {ReturnType<Conversation["reply"]>|null} reply
 * @property {number|null} heardAt when the person ended
 * @property {number|null} noticedAt when that was noticed
 * @property {number|null} textAt when the reply's first words came
 * @property {number|null} soundAt when they were heard
 * @property {TurnTimings|null} timings
 * @property {number} pieces of sound that were not heard to their end
 * @property {boolean} ended
 * @property {boolean} cut
 * @property {string} [text] of a typed message
 * @property {boolean} [sent]
 */

import {hasCode, pause, Problem, sentenceOf} from "../lib/api.js";
import {openLive, REPLY_RATE} from "../lib/live.js";
import {soundOut} from "../lib/sound-out.js";
import {t} from "./words.js";
import {sendTyped} from "./typed-message.js";

const STORED = "voicegraph-conversation";
const BUSY_TRIES = 5;

/**
 * Make a dialogue.
 * @param {object} options
 * @param {Conversation} options.view
 * @param {() => LiveStart & {speak: boolean}} options.start
 * @param {AbortSignal} options.signal
 * @param {() => void} options.onChange its phase, or whether there is something to stop, has changed
 * @param {(sentence: string) => void} options.onNotice
 * @param {(sentence: string|null) => void} options.onFault
 * @param {(problem: Problem|null) => void} options.onClosed the connection is over
 */
export function dialogue({view, start, signal, onChange, onNotice, onFault, onClosed}) {
  let sessionId = sessionStorage.getItem(STORED);
  /** @type {ReturnType<typeof openLive>|null} */
  let live = null;
  let asked = "";
  let generation = 0;
  /** @type {Exclude<LiveState, "closed">|"none"} */
  let link = "none";
  /** @type {ReturnType<typeof soundOut<{turn: Turn, place: Clause|null}>>|null} */
  let sound = null;
  let hearing = false;
  let unreachable = false;
  let writing = new AbortController();
  /** @type {Map<string, Turn>} */
  const turns = new Map();
  /** @type {Turn[]} */
  let typed = [];
  /** @type {Set<Turn>} */
  const open = new Set();

  /** @param {Partial<Turn>} fields */
  function begin(fields) {
    /** @type {Turn} */
    const turn = {
      heard: null, reply: null, heardAt: null, noticedAt: null, textAt: null, soundAt: null, timings: null,
      pieces: 0, ended: false, cut: false, ...fields,
    };
    open.add(turn);
    return turn;
  }

  /** @param {Turn} turn */
  function finish(turn, interrupted = false) {
    if (!open.delete(turn)) return;
    turn.heard?.drop();
    turn.reply?.settle({interrupted, times: timesOf(turn)});
    onChange();
  }

  /**
   * @param {Turn} turn
   * @param {string} sentence
   */
  function fail(turn, sentence) {
    finish(turn, turn.cut);
    view.note(sentence, true);
  }

  /** Drop the sound that was not heard yet. */
  function silence() {
    for (const {turn} of sound?.drop() ?? []) {
      turn.pieces = 0;
      turn.cut = true;
      if (turn.ended) finish(turn, true);
    }
  }

  /**
   * Give up the turns of a connection that is gone.
   * @param {boolean} keepUnsent keep typed messages that still wait to be sent
   */
  function abandon(keepUnsent) {
    hearing = false;
    for (const turn of [...open]) {
      if (turn.ended || (keepUnsent && typed.includes(turn) && !turn.sent)) continue;
      typed = typed.filter((one) => one !== turn);
      if (turn.reply) silence();
      else if (turn.noticedAt) view.note(t("unanswered"), true);
      finish(turn, true);
    }
  }

  /**
   * Open a connection with the settings as they are now, unless there is one.
   * @param {LiveStart} [more]
   */
  function connect(more = {}) {
    sound ??= soundOut({
      sampleRate: REPLY_RATE, signal, onIdle: onChange,
      onBegin({turn, place}, at) {
        turn.soundAt ??= at;
        if (place) turn.reply?.speak(place);
        onChange();
      },
      onEnd({turn}) {
        turn.pieces -= 1;
        if (turn.ended && turn.pieces === 0) finish(turn);
      },
      onBlocked: (blocked) => onNotice(blocked ? t("blocked") : ""),
    });
    const wanted = JSON.stringify({...start(), ...more});
    if (live && wanted === asked) return;
    disconnect();
    asked = wanted;
    const own = ++generation;
    live = openLive({
      path: "api/v1/ws", start: JSON.parse(wanted), sessionId, signal,
      onEvent: (event, samples) => { if (own === generation) take(event, samples); },
      onState: (state, problem) => { if (own === generation) follow(state, problem); },
    });
  }

  function disconnect() {
    generation += 1;
    live?.close();
    live = null;
    link = "none";
    abandon(false);
  }

  /**
   * @param {LiveState} state
   * @param {Problem|null} problem
   */
  function follow(state, problem) {
    const before = link;
    link = state === "closed" ? "none" : state;
    if (state === "ready") {
      unreachable = false;
      for (const turn of typed) turn.sent = true;
      if (before === "reconnecting") onNotice(t("back"));
    }
    if (state === "reconnecting" && before !== state) abandon(true);
    if (state === "closed") {
      live = null;
      generation += 1;
      const unsent = typed.filter((turn) => !turn.sent);
      unreachable = problem?.code === "live_unreachable";
      if (unreachable) {
        typed = [];
        for (const turn of unsent) writeInstead(turn);
        onFault(t("written_only"));
      } else abandon(false);
      onClosed(problem);
    }
    onChange();
  }

  /**
   * Return the turn of an event; an unknown one is the oldest typed message, whose number only the service knows.
   * @param {TurnEvent} event
   */
  function turnOf({turnId}) {
    const turn = turns.get(turnId) ?? typed.shift();
    if (turn) turns.set(turnId, turn);
    return turn;
  }

  /**
   * @param {LiveEvent} event
   * @param {Int16Array|null} samples
   */
  function take(event, samples) {
    if (event.type === "ready") {
      sessionId = event.session_id ?? null;
      if (sessionId) sessionStorage.setItem(STORED, sessionId);
    } else if (event.type === "session_lost") view.note(t("expired"));
    else if (event.type === "audio_lost") onNotice(t("audio_lost"));
    else if (event.type === "speech_started") {
      hearing = true;
      silence();
      turns.set(event.turnId, begin({heard: view.heard()}));
    } else if (event.type === "error" && !event.turnId) refused(event);
    else if (event.turnId) {
      const turn = turnOf(event);
      if (turn && open.has(turn)) advance(turn, event, samples);
    }
    onChange();
  }

  /** @param {{code: string, message: string}} event */
  function refused({code, message}) {
    if (code === "no_speech") onNotice(t("no_speech"));
    else onFault(new Problem(code, {detail: message}).message);
  }

  /**
   * @param {Turn} turn
   * @param {TurnEvent} event
   * @param {Int16Array|null} samples
   */
  function advance(turn, event, samples) {
    switch (event.type) {
      case "transcript.partial":
        turn.heard?.say(event.text, event.stable);
        break;
      case "speech_ended":
        hearing = false;
        turn.heardAt = event.endedAt;
        turn.noticedAt = performance.now();
        break;
      case "transcript.final":
        if (event.text) turn.heard?.settle(event.text);
        else {
          onNotice(t("not_understood"));
          finish(turn);
        }
        break;
      case "reply.text":
        replyOf(turn).add(event.text);
        turn.textAt ??= performance.now();
        break;
      case "reply.audio":
        if (turn.cut || !samples?.length) break;
        turn.pieces += 1;
        sound?.play(samples, {turn, place: event.text ? replyOf(turn).place(event.text) : null});
        break;
      case "reply.end":
        turn.ended = true;
        turn.timings = event.timings;
        if (turn.pieces === 0) finish(turn, turn.cut);
        break;
      case "interrupted":
        silence();
        finish(turn, true);
        break;
      case "error":
        if (event.code === "speech_failed") replyOf(turn).note(t("not_spoken"));
        else if (event.code === "unsupported_language") fail(turn, t("not_heard"));
        else fail(turn, new Problem(event.code, {detail: event.message}).message);
        break;
    }
  }

  const replyOf = (/** @type {Turn} */ turn) => turn.reply ??= view.reply();

  /**
   * Send a typed message over HTTP.
   * @param {Turn} turn
   */
  async function writeInstead(turn) {
    writing.abort();
    writing = new AbortController();
    const ends = AbortSignal.any([signal, writing.signal]);
    const told = (/** @type {LiveEvent} */ event, /** @type {Int16Array|null} */ samples) => {
      if (event.turnId) turns.set(event.turnId, turn);
      take(event, samples);
    };
    try {
      for (let left = BUSY_TRIES; ; left--) {
        try {
          await sendTyped({text: turn.text ?? "", sessionId, start: start(), signal: ends, onEvent: told});
          return;
        } catch (error) {
          // The reply that this message interrupts takes a moment to be stored.
          if (!hasCode(error, "session_busy") || !left) throw error;
          await pause(0.5, ends);
        }
      }
    } catch (error) {
      if (hasCode(error, "session_not_found")) forget();
      const sentence = sentenceOf(error);
      if (sentence) fail(turn, sentence);
      else finish(turn, true);
    }
  }

  function forget() {
    sessionId = null;
    sessionStorage.removeItem(STORED);
  }

  return {
    get sessionId() { return sessionId; },
    get hearing() { return hearing; },
    get speaking() { return Boolean(sound?.playing); },
    get stoppable() { return Boolean(sound?.playing) || [...open].some((turn) => turn.noticedAt); },
    /** @returns {"reconnecting"|"speaking"|"hearing"|"writing"|"thinking"|"connecting"|null} null while nothing happens */
    get phase() {
      if (link === "reconnecting") return "reconnecting";
      if (sound?.playing) return "speaking";
      if (hearing) return "hearing";
      if ([...open].some((turn) => turn.reply)) return "writing";
      if ([...open].some((turn) => turn.noticedAt)) return "thinking";
      return link === "connecting" ? "connecting" : null;
    },
    level: () => sound?.level() ?? 0,
    connect, disconnect, forget,
    send: (/** @type {Float32Array} */ samples, /** @type {number} */ rate) => live?.send(samples, rate),
    commit: () => live?.commit(),

    /** Stop a reply under way, since the person is about to speak; a message without a reply yet is answered, too. */
    giveWay() {
      if ([...open].some((turn) => turn.reply)) this.stop();
    },

    stop() {
      live?.cancel();
      writing.abort();
      silence();
      onChange();
    },

    /** @param {string} text a typed message */
    say(text) {
      silence();
      view.typed(text);
      const now = performance.now();
      const turn = begin({text, heardAt: now, noticedAt: now, sent: link === "ready"});
      if (unreachable) writeInstead(turn);
      else {
        typed.push(turn);
        live?.text(text);
      }
      onChange();
    },
  };
}

/**
 * Return how long each step of a turn took, in milliseconds; null where there was no reply.
 * @param {Turn} turn
 * @returns {Times|null}
 */
function timesOf({heardAt, noticedAt, textAt, soundAt, timings, heard}) {
  if (heardAt === null || noticedAt === null || textAt === null) return null;
  const total = (soundAt ?? textAt) - heardAt;
  const noticed = noticedAt - heardAt;
  if (!timings) return {parts: [], total, end: null, sound: soundAt !== null};
  const transcript = timings.transcript_ms ?? 0;
  const text = timings.first_text_ms ?? transcript;
  const ready = soundAt === null ? text : timings.first_audio_ms ?? text;
  /** @type {Times["parts"]} */
  const parts = [];
  if (heard) parts.push(["pause", noticed], ["transcript", transcript]);
  parts.push(["text", text - transcript]);
  if (soundAt !== null) parts.push(["voice", ready - text]);
  parts.push(["way", total - noticed - ready]);
  return {parts, total, end: noticed + (timings.end_ms ?? 0), sound: soundAt !== null};
}
