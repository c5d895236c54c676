/** The voice assistant: push to talk, hands-free, or typed; answers in text and speech, and can be interrupted. */

import {ask, askJson, hasCode, sentenceOf} from "../lib/api.js";
import {fill, h, icon, uniqueId} from "../lib/dom.js";
import {loudness, openMicrophone} from "../lib/microphone.js";
import {failureBeside} from "../lib/try-again.js";
import {dialogue} from "./dialogue.js";
import {conversation} from "./conversation.js";
import {assistantSettings} from "./settings.js";
import {talkButton} from "./talk-button.js";
import {t} from "./words.js";

/** Recorded on after the button is released: people release it before they have quite finished. */
const TAIL_MS = 250;
/** While the button is held, its release ends an utterance: pauses up to the longest that the service takes do not. */
const HELD = {end_of_speech_ms: 3000};

/**
 * Show the section.
 * @param {HTMLElement} root
 * @param {import("../lib/types.js").Place} place
 */
export function mount(root, {owner, signal}) {
  const label = uniqueId("conversation");
  const view = conversation(label);
  const settings = assistantSettings({signal, onChange: changeSettings});
  const talk = talkButton({signal, onBegin: beginTalking, onEnd: endTalking, onChange: () => draw()});
  const talks = dialogue({
    view, signal, start: settings.start, onChange: () => draw(), onNotice: notice, onFault: fault, onClosed: closed,
  });

  const word = h("p", {class: "assistant-state"});
  const advice = h("p", {class: "hint"});
  const stop = h("button", {type: "button", class: "quiet danger assistant-stop", on: {click: halt}},
    icon("stop"), h("span", {}, t("stop")));
  const free = h("input", {type: "checkbox", on: {change: () => setFree(free.checked)}});
  const said = h("p", {class: "hint", role: "status"});
  const problem = h("p", {class: "fault", role: "alert", hidden: true});
  const field = h("textarea", {
    class: "assistant-field", rows: "1", maxlength: owner.limits.assistant.max_message_chars,
    "aria-label": t("message"), placeholder: t("message"), on: {keydown: (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      say();
    }},
  });
  const anew = h("button", {type: "button", class: "quiet small", title: t("anew_hint"), on: {click: beginAnew}},
    icon("trash"), t("anew"));

  /** @type {Awaited<ReturnType<typeof openMicrophone>>|null} */
  let microphone = null;
  let opening = false;
  let request = 0;
  let tail = 0;
  let level = 0;
  let frame = 0;

  fill(root,
    settings.fields,
    h("section", {class: "card assistant-card"},
      h("div", {class: "row spread"}, h("h2", {id: label}, t("conversation")), anew),
      view.element,
      problem,
      h("div", {class: "assistant-dock"}, talk, h("div", {class: "assistant-now"}, word, advice), stop),
      said,
      h("div", {class: "row"},
        h("label", {class: "choice", title: t("hands_free_hint")}, free, h("span", {}, t("hands_free"))),
        settings.speakField),
      h("form", {class: "assistant-type", on: {submit: (event) => {
        event.preventDefault();
        say();
      }}}, field, h("button", {type: "submit"}, t("send")))));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && talks.stoppable) halt();
  }, {signal});
  signal.addEventListener("abort", () => {
    closeMicrophone();
    cancelAnimationFrame(frame);
  }, {once: true});
  view.readOut(!settings.start().speak);
  draw();
  recall();

  function draw() {
    if (signal.aborted) return;
    const on = free.checked || talk.talking;
    const phase = opening ? "microphone" : talks.phase ?? (microphone ? "listening" : "ready");
    talk.show(on, free.checked);
    talk.dataset.phase = phase;
    fill(word, t(`s_${phase}`));
    fill(advice, t(adviceFor(phase)));
    const focused = document.activeElement === stop;
    stop.hidden = !talks.stoppable;
    if (stop.hidden && focused) talk.focus();
    anew.disabled = !talks.sessionId;
    frame ||= requestAnimationFrame(animate);
  }

  /** @param {string} phase */
  function adviceFor(phase) {
    if (free.checked) return phase === "speaking" ? "talk_over" : "talk_free";
    if (!talk.talking && talks.stoppable) return "talk_cut";
    if (!talk.talking) return matchMedia("(hover: none)").matches ? "talk_touch" : "talk_hint";
    return talk.latched ? "talk_latched" : "talk_held";
  }

  function animate() {
    frame = 0;
    const loud = talks.speaking ? talks.level() : microphone ? level : 0;
    talk.style.setProperty("--level", loud.toFixed(2));
    if (talks.speaking || microphone) frame = requestAnimationFrame(animate);
  }

  /** @param {string} sentence */
  function notice(sentence) {
    fill(said, sentence);
  }

  /** @param {string|null} sentence */
  function fault(sentence) {
    problem.hidden = !sentence;
    fill(problem, sentence ?? "");
  }

  function clearMessages() {
    notice("");
    fault("");
  }

  const connect = () => talks.connect(free.checked ? {} : HELD);

  function beginTalking() {
    if (free.checked) {
      setFree(false);
      return false;
    }
    clearMessages();
    if (tail) sendTail();
    talks.giveWay();
    connect();
    openMic();
    return true;
  }

  function endTalking() {
    if (!microphone) {
      request += 1;
      opening = false;
      notice(t("no_speech"));
      draw();
      return;
    }
    tail = setTimeout(sendTail, TAIL_MS);
  }

  function sendTail() {
    clearTimeout(tail);
    tail = 0;
    closeMicrophone();
    talks.commit();
    draw();
  }

  /** @param {boolean} on hands-free */
  function setFree(on) {
    free.checked = on;
    clearMessages();
    if (talk.talking) talk.reset();
    if (tail) sendTail();
    closeMicrophone();
    if (on) {
      connect();
      openMic();
    } else if (talks.hearing) talks.commit();
    draw();
  }

  async function openMic() {
    const own = ++request;
    opening = true;
    draw();
    try {
      const opened = await openMicrophone((piece) => hear(own, piece));
      if (own !== request || signal.aborted) {
        opened.close();
        return;
      }
      microphone = opened;
    } catch (error) {
      if (own !== request || signal.aborted) return;
      free.checked = false;
      talk.reset();
      fault(sentenceOf(error));
    }
    opening = false;
    draw();
  }

  /**
   * @param {number} own the request that opened the microphone
   * @param {Float32Array} piece
   */
  function hear(own, piece) {
    if (own !== request || !microphone) return;
    level = loudness(piece);
    talks.send(piece, microphone.sampleRate);
  }

  function closeMicrophone() {
    request += 1;
    opening = false;
    microphone?.close();
    microphone = null;
  }

  /** @param {import("../lib/api.js").Problem|null} reason */
  function closed(reason) {
    const listening = free.checked || talk.talking;
    clearTimeout(tail);
    tail = 0;
    closeMicrophone();
    free.checked = false;
    if (talk.talking) talk.reset();
    // A connection that was closed while nobody used it needs no message.
    if (reason && reason.code !== "live_unreachable" && (listening || reason.code !== "idle")) fault(reason.message);
  }

  function halt() {
    talks.stop();
    draw();
  }

  function say() {
    const text = field.value.trim();
    if (!text) {
      field.focus();
      return;
    }
    clearMessages();
    field.value = "";
    connect();
    talks.say(text);
  }

  function changeSettings() {
    view.readOut(!settings.start().speak);
    // A connection is started with these: the next word opens another, or this one is replaced where it listens.
    if (free.checked) connect();
  }

  async function recall() {
    const id = talks.sessionId;
    if (!id) return;
    view.instead(h("p", {class: "hint"}, t("loading")));
    try {
      const {messages} = await askJson(`v1/assistant/sessions/${id}`, {signal});
      view.recall(messages);
    } catch (error) {
      const sentence = sentenceOf(error);
      if (!sentence) return;
      if (hasCode(error, "session_not_found")) {
        talks.forget();
        view.instead(h("p", {class: "hint assistant-note"}, t("expired")));
      } else {
        view.instead(failureBeside(sentence, recall));
      }
    }
    draw();
  }

  async function beginAnew() {
    clearMessages();
    setFree(false);
    const id = talks.sessionId;
    talks.stop();
    talks.disconnect();
    anew.disabled = true;
    try {
      if (id) await ask(`v1/assistant/sessions/${id}`, {method: "DELETE", signal});
    } catch (error) {
      const sentence = sentenceOf(error);
      if (!hasCode(error, "session_not_found")) {
        if (sentence) fault(sentence);
        draw();
        return;
      }
    }
    talks.forget();
    view.clear();
    draw();
    field.focus();
  }
}
