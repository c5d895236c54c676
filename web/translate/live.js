/**
 * An interpreter: speech from the microphone, in captions and aloud in another language.
 * @import {LiveEvent} from "../lib/types.js"
 * @import {Pair} from "./languages.js"
 * @typedef {"off"|"opening"|"connecting"|"ready"|"reconnecting"|"finishing"} State
 */

import {Problem, sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {clock, languageTitle, translations} from "../lib/i18n.js";
import {openLive, REPLY_RATE} from "../lib/live.js";
import {save} from "../lib/media.js";
import {loudness, openMicrophone} from "../lib/microphone.js";
import {soundOut} from "../lib/sound-out.js";
import {asSubtitles, asText, captions} from "./captions.js";
import {languagePair, voiceChoice} from "./languages.js";

const t = translations({
  en: {
    title: "Live interpreting", start: "Start interpreting", stop: "Stop", stop_now: "Stop at once",
    space: "Space starts and stops.", level: "Level of the microphone", elapsed: "Time since the start",
    speak: "Speak the translation",
    headphones: "Use headphones, so that the microphone does not hear the translation.",
    unspoken: "No voice speaks {language}; there are captions only.", off: "The microphone is off.",
    opening: "Opening the microphone…", connecting: "Connecting…",
    ready: "Listening. Speak, and pause after a sentence.",
    reconnecting: "The connection broke. Connecting again; go on speaking.", finishing: "Finishing what was said…",
    audio_lost: "The connection is too slow: some of what you said was lost.",
    blocked: "Press any key, so that the browser lets the page be heard.", not_spoken: "This could not be spoken.",
    not_understood: "{language}: the speech recogniser of this server does not know it. Choose another.",
    save: "Save the captions", which: "Languages", both: "Both languages", source: "What was said",
    target: "The translation", text: "Text", subtitles: "Subtitles (SRT)", clear: "Clear the captions",
    file: "captions",
  },
  ru: {
    title: "Синхронный перевод", start: "Начать перевод", stop: "Остановить", stop_now: "Остановить сразу",
    space: "Пробел начинает и останавливает.", level: "Уровень микрофона", elapsed: "Прошло с начала",
    speak: "Озвучивать перевод", headphones: "Наденьте наушники, чтобы микрофон не слышал перевод.",
    unspoken: "{language}: этот язык никто не озвучивает, будут только титры.", off: "Микрофон выключен.",
    opening: "Включаю микрофон…", connecting: "Соединяюсь…", ready: "Слушаю. Говорите и делайте паузу после фразы.",
    reconnecting: "Связь прервалась. Соединяюсь снова; можно говорить дальше.", finishing: "Заканчиваю сказанное…",
    audio_lost: "Связь слишком медленная: часть сказанного пропала.",
    blocked: "Нажмите любую клавишу, чтобы браузер разрешил странице звучать.",
    not_spoken: "Это произнести не удалось.",
    not_understood: "{language}: распознаватель этого сервера такого языка не понимает. Выберите другой язык речи.",
    save: "Сохранить титры", which: "Языки", both: "Оба языка", source: "Сказанное", target: "Перевод", text: "Текст",
    subtitles: "Субтитры (SRT)", clear: "Очистить титры", file: "titry",
  },
});

const PATH = "api/v1/ws/translation";
const OWN_SPACE = "button, a, input, select, textarea, summary, audio, [role=tab]";

/**
 * Make the panel; `leave()` ends what is going on.
 * @param {{list: import("./languages.js").LanguageList, signal: AbortSignal}} options
 */
export function livePanel({list, signal}) {
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const status = h("p", {class: "job-status", role: "status"}, t("off"));
  const bar = h("span", {class: "level-bar"});
  const time = h("span", {class: "numbers", role: "timer", "aria-label": t("elapsed")}, clock(0));
  const signs = h("span", {class: "row", hidden: true},
    h("span", {class: "level", role: "img", "aria-label": t("level")}, bar), time);
  const button = h("button", {type: "button", class: "translate-start", disabled: true, on: {click: toggle}});
  const voice = voiceChoice({signal});
  const speak = h("input", {type: "checkbox", checked: true, on: {change: chooseSpeech}});
  const unspoken = h("p", {class: "hint", hidden: true});
  const headphones = h("p", {class: "hint"}, t("headphones"));
  /** @type {ReturnType<typeof captions>} */
  const shown = captions({onChange: () => { saving.hidden = shown.entries().length === 0; }});
  const which = h("select", {"aria-label": t("which")},
    /** @type {const} */ (["both", "source", "target"]).map((id) => h("option", {value: id}, t(id))));
  const saving = h("div", {class: "row", role: "group", "aria-label": t("save"), hidden: true},
    which, saveButton("text", "txt", "text/plain", asText),
    saveButton("subtitles", "srt", "application/x-subrip", asSubtitles),
    h("button", {type: "button", class: "quiet", on: {click: () => shown.clear()}}, icon("trash"), t("clear")));
  const stage = h("section", {class: "card translate-live"}, shown, fault,
    h("div", {class: "row"}, button, signs, status, h("span", {class: "hint translate-hotkey"}, t("space"))), saving);
  const element = h("div", {},
    h("section", {class: "card"}, h("h2", {}, t("title")),
      languagePair({list, fromSpeech: true, onChange: chooseLanguages}),
      h("div", {class: "columns"},
        h("div", {class: "field"},
          h("label", {class: "choice"}, speak, h("span", {}, t("speak"))), unspoken, headphones), voice.element)),
    stage);

  /** @type {Pair|null} */
  let pair = null;
  /** @type {State} */
  let state = "off";
  /** @type {ReturnType<typeof soundOut<{id: string}>>|null} */
  let out = null;
  /** @type {Awaited<ReturnType<typeof openMicrophone>>|null} */
  let microphone = null;
  /** Aborted when the microphone that is being opened is no longer wanted. */
  let opening = new AbortController();
  /** @type {{id: number, aloud: boolean}|null} */
  let session = null;
  let sessions = 0;
  /** @type {Map<number, ReturnType<typeof openLive>>} connections by session, also those that finish what was said */
  const connections = new Map();
  let beganAt = 0;
  let ticking = 0;
  show("off");
  document.addEventListener("keydown", space, {signal});
  voice.select.addEventListener("change", () => renew());
  signal.addEventListener("abort", leave, {once: true});

  /** @param {string|null} sentence */
  function complain(sentence) {
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  /** @param {State} next */
  function show(next) {
    state = next;
    const on = ["opening", "connecting", "ready", "reconnecting"].includes(next);
    fill(status, t(next));
    fill(button, icon(next === "off" ? "voice" : "stop"), t(next === "off" ? "start" : on ? "stop" : "stop_now"));
    button.classList.toggle("danger", next !== "off");
    button.classList.toggle("quiet", next !== "off");
    signs.hidden = !on;
  }

  /** @param {KeyboardEvent} event */
  function space(event) {
    const own = event.target instanceof Element && event.target.closest(OWN_SPACE);
    if (event.key !== " " || event.repeat || event.defaultPrevented || element.hidden || own || button.disabled) return;
    event.preventDefault();
    toggle();
  }

  function toggle() {
    if (state === "off") start();
    else if (state === "finishing") end();
    else finish();
  }

  async function start() {
    complain("");
    show("opening");
    stage.scrollIntoView({block: matchMedia("(max-width: 50rem)").matches ? "start" : "nearest"});
    beganAt = performance.now();
    // Made now, in reply to the gesture, without which browsers let no page be heard.
    out ??= soundOut({
      sampleRate: REPLY_RATE, signal, onBegin: ({id}) => shown.highlight(id), onIdle: () => shown.highlight(null),
      onBlocked: (blocked) => complain(blocked ? t("blocked") : ""),
    });
    const mine = opening = new AbortController();
    try {
      const opened = await openMicrophone(hear);
      if (mine.signal.aborted) {
        opened.close();
        return;
      }
      microphone = opened;
      ticking = setInterval(() => fill(time, clock((performance.now() - beganAt) / 1000)), 250);
      begin();
    } catch (error) {
      if (mine.signal.aborted) return;
      end();
      complain(sentenceOf(error));
    }
  }

  /** @param {Float32Array} samples */
  function hear(samples) {
    if (!microphone) return;
    bar.style.inlineSize = `${Math.round(loudness(samples) * 100)}%`;
    if (session) connections.get(session.id)?.send(samples, microphone.sampleRate);
  }

  /** Begin a connection with what is chosen now. */
  function begin() {
    if (!pair) return;
    const id = ++sessions;
    const aloud = wanted();
    /** @type {import("../lib/types.js").LiveStart} */
    const fields = {target: pair.target, speak: aloud};
    if (pair.source) fields.source = pair.source;
    if (aloud && voice.select.value) fields.voice = voice.select.value;
    session = {id, aloud};
    connections.set(id, openLive({
      path: PATH, start: fields, signal,
      onEvent: (event, samples) => follow(event, samples, `${id}.${event.turnId}`),
      onState: (next, problem) => {
        if (next === "reconnecting" || next === "closed") shown.lose(`${id}.`);
        if (next === "closed") connections.delete(id);
        // A connection that was replaced finishes quietly what was said to it.
        if (id !== session?.id) return;
        if (next !== "closed") {
          if (state !== "finishing") show(next);
          return;
        }
        session = null;
        closeMicrophone();
        show("off");
        complain(problem ? sentenceOf(problem) : "");
      },
    }));
  }

  /** Other languages or another voice: a new connection, while the last one finishes what was said. */
  function renew() {
    if (!session || state === "finishing") return;
    connections.get(session.id)?.stop();
    if (pair) begin();
    else end();
  }

  /**
   * @param {LiveEvent} event
   * @param {Int16Array|null} samples
   * @param {string} id of the event's turn
   */
  function follow(event, samples, id) {
    switch (event.type) {
      case "speech_started": return shown.begin(id, event.startedAt);
      case "speech_ended": return shown.end(id, event.endedAt);
      case "transcript.partial": return shown.partial(id, event.text, event.stable);
      case "transcript.final": return shown.setTranscript(id, event.text, event.language);
      case "translation": return shown.setTranslation(id, event.text, event.language, event.suspect);
      case "reply.audio": return speak.checked && samples ? out?.play(samples, {id}) : null;
      case "reply.end": return shown.close(id);
      case "interrupted": return out?.drop();
      case "audio_lost": return complain(t("audio_lost"));
      case "error": return refuse(event, id);
      default: return null;
    }
  }

  /**
   * @param {Extract<LiveEvent, {type: "error"}>} event
   * @param {string} id
   */
  function refuse(event, id) {
    if (event.code === "unsupported_language" && pair?.source) {
      end();
      complain(t("not_understood", {language: languageTitle(pair.source)}));
      return;
    }
    const sentence = event.code === "speech_failed"
      ? t("not_spoken") : new Problem(event.code, {detail: event.message}).message;
    if (event.turn === undefined) complain(sentence);
    else shown.fail(id, sentence);
  }

  /** What was said is finished, and heard. */
  function finish() {
    if (!session) {
      end();
      return;
    }
    closeMicrophone();
    show("finishing");
    connections.get(session.id)?.stop();
  }

  function closeMicrophone() {
    opening.abort();
    microphone?.close();
    microphone = null;
    clearInterval(ticking);
    bar.style.inlineSize = "0";
  }

  /** Everything ends now. */
  function end() {
    closeMicrophone();
    session = null;
    for (const connection of [...connections.values()]) connection.close();
    out?.drop();
    show("off");
  }

  function leave() {
    if (state !== "off" || out?.playing) end();
  }

  const wanted = () => speak.checked && !speak.disabled;

  function chooseSpeech() {
    if (!speak.checked) {
      out?.drop();
      shown.highlight(null);
    }
    voice.element.hidden = headphones.hidden = !wanted();
    if (session && wanted() && !session.aloud) renew();
  }

  /** @param {Pair|null} now */
  function chooseLanguages(now) {
    pair = now;
    button.disabled = !now;
    const mute = now !== null && !now.languages.spoken(now.target);
    speak.disabled = mute;
    unspoken.hidden = !mute;
    fill(unspoken, mute ? t("unspoken", {language: languageTitle(now.target)}) : "");
    voice.offer(mute ? null : now?.target ?? null);
    voice.element.hidden = headphones.hidden = !wanted();
    renew();
  }

  /**
   * @param {"text"|"subtitles"} words
   * @param {string} ending of the file
   * @param {string} type of its content
   * @param {typeof asText} write
   */
  function saveButton(words, ending, type, write) {
    return h("button", {type: "button", class: "quiet", on: {click: () => {
      const text = write(shown.entries(), /** @type {import("./captions.js").Which} */ (which.value));
      save(new Blob([text], {type: `${type};charset=utf-8`}), `${t("file")}.${ending}`);
    }}}, icon("download"), t(words));
  }

  return extend(element, {leave});
}
