/**
 * One job from its submission to its end: upload, place in the queue, stages, cancel, retry.
 * @import {Job, JobEvent, Submission} from "./types.js"
 */

import {askJson, hasStatus, pause, Problem, problemOf, sentenceOf} from "./api.js";
import {extend, fill, h, icon} from "./dom.js";
import {followJob} from "./events.js";
import {percent, translations} from "./i18n.js";
import {cancelJob, isActive} from "./jobs.js";
import {submissionKey, upload} from "./upload.js";

const t = translations({
  en: {
    sending: "Sending the file", sent: "Sent; the service looks at it", asking: "Asking the service",
    looking: "Looking for the job", queued: "Waiting: number {n} in the queue", queued_first: "Waiting: next in line",
    running: "Working", decode: "Reading the recording", transcribe: "Recognising speech and speakers",
    spoof: "Judging the voice", translate: "Recognising, translating and speaking", prepare: "Preparing the face",
    film: "Filming", retrying: "Trying once more", cancelled: "Cancelled.", cancelling: "Cancelling…", cancel: "Cancel",
    retry: "Try again", progress: "Progress", done: "Done",
    stay: "Keep this page open until the file is sent. The work after that goes on without it.",
    lost: "The connection broke; the work goes on, and this page looks for it again.",
  },
  ru: {
    sending: "Передача файла", sent: "Передано; сервис смотрит файл", asking: "Запрос к сервису",
    looking: "Поиск задания", queued: "В очереди: место {n}", queued_first: "В очереди: следующее",
    running: "Выполняется", decode: "Чтение записи", transcribe: "Распознавание речи и говорящих",
    spoof: "Проверка голоса", translate: "Распознавание, перевод и озвучивание", prepare: "Подготовка лица",
    film: "Съёмка", retrying: "Ещё одна попытка", cancelled: "Отменено.", cancelling: "Отмена…", cancel: "Отменить",
    retry: "Повторить", progress: "Ход работы", done: "Готово",
    stay: "Не закрывайте страницу, пока файл передаётся. Дальше работа пойдёт и без неё.",
    lost: "Связь прервалась; работа продолжается, страница ищет её снова.",
  },
});

const POLL_S = 2;
const STAGES = /** @type {const} */ (["decode", "transcribe", "spoof", "translate", "prepare", "film"]);

/**
 * Make a panel for one job at a time. It has `submit(submission)`, `watch(jobId)` for a job that exists, and `busy`.
 *
 * It hides itself while there is nothing to say: before a submission, and after success.
 * @param {object} options
 * @param {AbortSignal} options.signal ends everything here (the job goes on in the service)
 * @param {(job: Job) => void} [options.onJob] it was accepted, or retried: the moment to put its id into the address
 * @param {(event: JobEvent) => void} [options.onEvent] each event from the job's beginning, once; what an earlier attempt
 *   told is void when "started" comes again
 * @param {(job: Job) => void} [options.onDone] it succeeded
 * @param {() => void} [options.onIdle] it failed, was cancelled or was not accepted: the form may be used again
 */
export function jobPanel({signal, onJob = () => {}, onEvent = () => {}, onDone = () => {}, onIdle = () => {}}) {
  const status = h("p", {class: "job-status", role: "status", tabindex: "-1"});
  const share = h("span", {class: "job-share"});
  const bar = h("progress", {max: "1", "aria-label": t("progress")});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const note = h("p", {class: "hint", role: "status"});
  const cancel = h("button", {type: "button", class: "quiet", on: {click: stop}}, icon("close"), t("cancel"));
  const again = h("button", {type: "button", on: {click: retry}}, icon("retry"), t("retry"));
  const element = extend(
    h("section", {class: "card job-panel", hidden: true, "aria-label": t("progress")},
      h("div", {class: "row spread"}, status, share), bar, note, fault, h("div", {class: "row"}, cancel, again)),
    {busy: false, submit, watch});
  /** @type {Job|null} */
  let job = null;
  /** @type {string|null} */
  let watched = null;
  /** @type {Submission & {idempotencyKey: string}|null} */
  let submission = null;
  /** @type {AbortController|null} */
  let running = null;
  let [sending, cancelling, lastEvent, said] = [false, false, 0, ""];
  signal.addEventListener("abort", () => running?.abort(), {once: true});
  addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); }, {signal});

  /** @param {string} sentence */
  function say(sentence) {
    if (sentence === said) return;
    said = sentence;
    fill(status, sentence);
  }

  const remark = (/** @type {string} */ sentence) => { if (note.textContent !== sentence) fill(note, sentence); };

  function begin() {
    const focused = element.contains(document.activeElement);
    running?.abort();
    running = new AbortController();
    cancelling = false;
    element.busy = true;
    element.hidden = false;
    fault.hidden = again.hidden = true;
    bar.hidden = cancel.hidden = false;
    cancel.ariaDisabled = null;
    element.setAttribute("aria-busy", "true");
    if (focused) cancel.focus();
    return running.signal;
  }

  /** @param {number|null} fraction null where it is not known */
  function progress(fraction) {
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    fill(share, fraction === null ? "" : percent(fraction));
  }

  /** @param {string|null} sentence why it failed */
  function end(sentence, {retriable = true} = {}) {
    const focused = element.contains(document.activeElement);
    running?.abort();
    element.busy = false;
    element.removeAttribute("aria-busy");
    bar.hidden = cancel.hidden = true;
    remark("");
    fill(share, "");
    again.hidden = !retriable;
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
    if (focused) (retriable ? again : status).focus();
  }

  /** @param {(mine: AbortSignal) => Promise<void>} work */
  async function run(work) {
    const mine = begin();
    try {
      await work(mine);
    } catch (error) {
      if (mine.aborted) return;
      say("");
      end(sentenceOf(error), {retriable: !isFinal(error)});
      onIdle();
    }
  }

  function forget() {
    job = watched = null;
    lastEvent = 0;
  }

  /**
   * Send a form with a file, or a body as JSON.
   * @param {Submission} asked
   */
  function submit(asked) {
    const given = submission = {...asked, idempotencyKey: submissionKey()};
    forget();
    return run((mine) => send(given, mine));
  }

  /**
   * @param {NonNullable<typeof submission>} given
   * @param {AbortSignal} mine
   */
  async function send({path, fields = {}, file, json, idempotencyKey}, mine) {
    say(t(file ? "sending" : "asking"));
    progress(file ? 0 : null);
    /** @type {Job} */
    let accepted;
    if (file) {
      sending = true;
      remark(t("stay"));
      try {
        accepted = await upload(path, fields, file, {onProgress: showSending, signal: mine, idempotencyKey});
      } finally {
        sending = false;
        remark("");
      }
    } else {
      const headers = {"Idempotency-Key": idempotencyKey};
      accepted = /** @type {Job} */ (await askJson(path, {method: "POST", json, signal: mine, headers}));
    }
    await accept(accepted, mine);
  }

  /**
   * Follow a job that the service has accepted, unless it was called off meanwhile.
   * @param {Job} accepted
   * @param {AbortSignal} mine
   */
  async function accept(accepted, mine) {
    job = accepted;
    onJob(accepted);
    if (cancelling) await callOff(accepted);
    if (!mine.aborted) await follow(accepted, mine);
  }

  /** @param {number} fraction */
  function showSending(fraction) {
    progress(fraction < 1 ? fraction : null);
    if (fraction < 1 || !sending) return;
    sending = false;
    remark("");
    if (!cancelling) say(t("sent"));
  }

  /**
   * Show a job that exists.
   * @param {string} jobId
   */
  function watch(jobId) {
    forget();
    submission = null;
    watched = jobId;
    return run((mine) => find(jobId, mine));
  }

  /**
   * @param {string} jobId
   * @param {AbortSignal} mine
   */
  async function find(jobId, mine) {
    say(t("looking"));
    progress(null);
    cancel.hidden = true;
    job = await askJson(`v1/jobs/${jobId}`, {signal: mine});
    cancel.hidden = false;
    await follow(job, mine);
  }

  /**
   * Show a job until it has ended; by its events, or by polling where these do not come.
   * @param {Job} followed
   * @param {AbortSignal} mine
   */
  async function follow(followed, mine) {
    show(followed);
    const {id} = followed;
    const following = new AbortController();
    mine.addEventListener("abort", () => following.abort(), {once: true});
    let connected = true;
    const onConnection = (/** @type {boolean} */ now) => {
      connected = now;
      remark(now ? "" : t("lost"));
    };
    const wanted = () => !connected || job?.state === "queued";
    await Promise.race([
      followJob(id, hear, following.signal, {onConnection, after: lastEvent}), poll(id, wanted, following.signal),
    ]);
    following.abort();
    job = await askJson(`v1/jobs/${id}`, {signal: mine});
    conclude(job);
  }

  /**
   * Ask for the job while `wanted()`; events tell no place in the queue.
   * @param {string} id
   * @param {() => boolean} wanted
   * @param {AbortSignal} mine
   */
  async function poll(id, wanted, mine) {
    for (;;) {
      await pause(POLL_S, mine);
      if (!wanted()) continue;
      try {
        const seen = await askJson(`v1/jobs/${id}`, {signal: mine});
        if (!wanted()) continue;
        if (!isActive(seen)) return;
        show(seen);
      } catch (error) {
        if (mine.aborted || hasStatus(error, 404)) throw error;
      }
    }
  }

  /** @param {JobEvent} event */
  function hear(event) {
    lastEvent = event.id;
    if (job && event.type === "queued") job = {...job, state: "queued"};
    else if (job && event.type === "started") job = {...job, state: "running"};
    else if (event.type === "retrying" && !cancelling) say(t("retrying"));
    else if (job && event.type === "progress") show({...job, state: "running", ...event.data});
    onEvent(event);
  }

  /** @param {Job} seen */
  function show(seen) {
    job = seen;
    if (!isActive(seen)) return;
    const waits = seen.state === "queued";
    progress(waits ? null : seen.progress);
    if (cancelling) return;
    const place = seen.queue_position ?? 1;
    if (waits) say(place > 1 ? t("queued", {n: place}) : t("queued_first"));
    else say(t(STAGES.find((stage) => stage === seen.stage) ?? "running"));
  }

  /** @param {Job} ended */
  function conclude(ended) {
    if (ended.state === "succeeded") {
      say(t("done"));
      end(null, {retriable: false});
      element.hidden = true;
      onDone(ended);
    } else if (ended.state === "cancelled") {
      say(t("cancelled"));
      end(null);
      onIdle();
    } else {
      say("");
      end(problemOf(ended)?.message ?? null);
      onIdle();
    }
  }

  async function stop() {
    if (cancelling) return;
    cancelling = true;
    // Not `disabled`, which would take the keyboard away from it.
    cancel.ariaDisabled = "true";
    if (sending) {
      say(t("cancelled"));
      end(null);
      onIdle();
      return;
    }
    say(t("cancelling"));
    // What is sent may be accepted any moment: its job is waited for, then cancelled.
    if (job && isActive(job)) await callOff(job);
  }

  /** @param {Job} accepted */
  async function callOff(accepted) {
    try {
      await cancelJob(accepted.id, signal);
    } catch (error) {
      cancelling = false;
      const sentence = sentenceOf(error);
      if (running?.signal.aborted || !sentence) return;
      show(job ?? accepted);
      cancel.ariaDisabled = null;
      fault.hidden = false;
      fill(fault, sentence);
    }
  }

  function retry() {
    const [known, jobId, given] = [job, watched, submission];
    if (!known) {
      if (jobId) run((mine) => find(jobId, mine));
      else if (given) run((mine) => send(given, mine));
      return;
    }
    // The connection was lost, not the job.
    if (isActive(known) || known.state === "succeeded") run((mine) => follow(known, mine));
    else run((mine) => retryJob(known, mine));
  }

  /**
   * @param {Job} ended
   * @param {AbortSignal} mine
   */
  async function retryJob({id}, mine) {
    say(t("asking"));
    progress(null);
    /** @type {Job} */
    let accepted;
    try {
      accepted = await askJson(`v1/jobs/${id}/retry`, {method: "POST", signal: mine});
    } catch (error) {
      if (hasStatus(error, 404, 410) && submission) {
        // What was sent is gone in the service, but still at hand here.
        const given = submission = {...submission, idempotencyKey: submissionKey()};
        forget();
        await send(given, mine);
        return;
      }
      if (!hasStatus(error, 409)) throw error;
      // It was retried elsewhere meanwhile, in another tab perhaps.
      accepted = await askJson(`v1/jobs/${id}`, {signal: mine});
      if (accepted.state === "failed" || accepted.state === "cancelled") {
        job = accepted;
        throw error;
      }
    }
    await accept(accepted, mine);
  }

  return element;
}

// What the API refuses for good comes back the same however often it is asked for.
const isFinal = (/** @type {unknown} */ error) => error instanceof Problem && error.status >= 400 && error.status < 500 &&
  ![408, 409, 429].includes(error.status);
