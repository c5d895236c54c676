/** What is said to and fro: the live connection, its turns, and the sound of the replies. */

import {pause, Problem, sentenceOf} from "../lib/api.js";
import {openLive, REPLY_RATE} from "../lib/live.js";
import {soundOut} from "../lib/sound-out.js";
import {t} from "./words.js";
import {write} from "./written.js";

const STORED = "voicegraph-conversation";
const BUSY_TRIES = 5;

/**
 * Make a dialogue.
 * @param {object} options `view`: conversation(); `start()`: fields of the live protocol's start; `signal`;
 *   `onChange()`: its phase, or whether there is something to stop, has changed; `onNotice(sentence)`,
 *   `onFault(sentence)`; `onClosed(problem)`: the connection is over
 */
export function dialogue({view, start, signal, onChange, onNotice, onFault, onClosed}) {
  let sessionId = sessionStorage.getItem(STORED);
  let live = null;
  let asked = "";
  let generation = 0;
  let link = "none";
  let sound = null;
  let hearing = false;
  let unreachable = false;
  let writing = new AbortController();
  let turns = new Map();
  let typed = [];
  const open = new Set();

  function begin(fields) {
    const turn = {
      heard: null, reply: null, heardAt: null, noticedAt: null, textAt: null, soundAt: null, timings: null,
      pieces: 0, ended: false, cut: false, ...fields,
    };
    open.add(turn);
    return turn;
  }

  function finish(turn, interrupted = false) {
    if (!open.delete(turn)) return;
    turn.heard?.drop();
    turn.reply?.settle({interrupted, times: timesOf(turn)});
    onChange();
  }

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

  /** The connection is gone, and with it what it owed; `sent`: what still waits to be sent is kept. */
  function abandon(sent) {
    hearing = false;
    for (const turn of [...open]) {
      if (turn.ended || (sent && typed.includes(turn) && !turn.sent)) continue;
      typed = typed.filter((one) => one !== turn);
      if (turn.reply) silence();
      else if (turn.noticedAt) view.note(t("unanswered"), true);
      finish(turn, true);
    }
  }

  /** Have a connection that was started as the settings are now. */
  function connect(more = {}) {
    sound ??= soundOut({
      sampleRate: REPLY_RATE, signal, onIdle: onChange,
      onBegin({turn, place}, at) {
        turn.soundAt ??= at;
        if (place) turn.reply.speak(place);
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

  /** The turn of an event; an unknown one is the oldest typed message, whose number only the service knows. */
  function turnOf(event) {
    if (!turns.has(event.turnId) && typed.length) turns.set(event.turnId, typed.shift());
    return turns.get(event.turnId);
  }

  function take(event, samples) {
    if (event.type === "ready") {
      sessionId = event.session_id;
      sessionStorage.setItem(STORED, sessionId);
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

  function refused({code, message}) {
    if (code === "no_speech") onNotice(t("no_speech"));
    else onFault(sentenceOf(new Problem(code, {detail: message})));
  }

  const STEPS = {
    "transcript.partial": (turn, {text}) => turn.heard.say(text),
    "speech_ended": (turn, {endedAt}) => {
      hearing = false;
      turn.heardAt = endedAt;
      turn.noticedAt = performance.now();
    },
    "transcript.final": (turn, {text}) => {
      if (text) turn.heard.settle(text);
      else {
        onNotice(t("not_understood"));
        finish(turn);
      }
    },
    "reply.text": (turn, {text}) => {
      replyOf(turn).add(text);
      turn.textAt ??= performance.now();
    },
    "reply.audio": (turn, {text}, samples) => {
      if (turn.cut || !samples.length) return;
      turn.pieces += 1;
      sound.play(samples, {turn, place: text ? replyOf(turn).place(text) : null});
    },
    "reply.end": (turn, {timings}) => {
      turn.ended = true;
      turn.timings = timings;
      if (turn.pieces === 0) finish(turn, turn.cut);
    },
    "interrupted": (turn) => {
      silence();
      finish(turn, true);
    },
    "error": (turn, {code, message}) => {
      if (code === "speech_failed") replyOf(turn).note(t("not_spoken"));
      else if (code === "unsupported_language") fail(turn, t("not_heard"));
      else fail(turn, sentenceOf(new Problem(code, {detail: message})));
    },
  };

  const advance = (turn, event, samples) => STEPS[event.type]?.(turn, event, samples);
  const replyOf = (turn) => turn.reply ??= view.reply();

  /** Send a typed message over HTTP. */
  async function writeInstead(turn) {
    writing.abort();
    writing = new AbortController();
    const ends = AbortSignal.any([signal, writing.signal]);
    const told = (event, samples) => {
      if (event.turnId) turns.set(event.turnId, turn);
      take(event, samples);
    };
    try {
      for (let left = BUSY_TRIES; ; left--) {
        try {
          await write({text: turn.text, sessionId, start: start(), signal: ends, onEvent: told});
          return;
        } catch (error) {
          // The reply that this message interrupts takes a moment to be put away.
          if (error.code !== "session_busy" || !left) throw error;
          await pause(0.5, ends);
        }
      }
    } catch (error) {
      if (error.code === "session_not_found") forget();
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
    send: (samples, rate) => live?.send(samples, rate),
    commit: () => live?.commit(),

    /** Make room for what is about to be said: a reply under way is stopped; what waits for one is answered with it. */
    giveWay() {
      if ([...open].some((turn) => turn.reply)) this.stop();
    },

    stop() {
      live?.cancel();
      writing.abort();
      silence();
      onChange();
    },

    say(text) {
      silence();
      view.typed(text);
      const now = performance.now();
      const turn = begin({text, heardAt: now, noticedAt: now, sent: link === "ready"});
      if (unreachable) writeInstead(turn);
      else {
        typed.push(turn);
        live.text(text);
      }
      onChange();
    },
  };
}

/** How long each step of a turn took, in milliseconds; null where nothing came of it. */
function timesOf({heardAt, noticedAt, textAt, soundAt, timings, heard}) {
  if (heardAt === null || textAt === null) return null;
  const total = (soundAt ?? textAt) - heardAt;
  const noticed = noticedAt - heardAt;
  if (!timings) return {parts: [], total, end: null, sound: soundAt !== null};
  const transcript = timings.transcript_ms ?? 0;
  const text = timings.first_text_ms ?? transcript;
  const ready = soundAt === null ? text : timings.first_audio_ms ?? text;
  return {
    parts: [
      ...(heard ? [["pause", noticed], ["transcript", transcript]] : []),
      ["text", text - transcript],
      ...(soundAt === null ? [] : [["voice", ready - text]]),
      ["way", total - noticed - ready],
    ],
    total, end: noticed + (timings.end_ms ?? 0), sound: soundAt !== null,
  };
}
