/** One job from its submission to its end: upload, place in the queue, stages, cancel, retry. */

import {askJson, pause, Problem, problemOf, sentenceOf} from "./api.js";
import {fill, h, icon} from "./dom.js";
import {followJob} from "./events.js";
import {percent, speaker} from "./i18n.js";
import {cancelJob, isActive} from "./jobs.js";
import {submissionKey, upload} from "./upload.js";

const t = speaker({
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
const STAGES = new Set(["decode", "transcribe", "spoof", "translate", "prepare", "film"]);

/**
 * Make a panel for one job at a time.
 *
 * It hides itself while there is nothing to say: before a submission, and after success.
 * @param {object} options
 *   `signal`: ends everything here (the job goes on in the service);
 *   `onJob(job)`: it was accepted, or retried: the moment to put its id into the address;
 *   `onEvent({id, type, data})`: each of docs/api.md's events, from the job's beginning, once; what an earlier attempt
 *     told is void when "started" comes again;
 *   `onDone(job)`: it succeeded;
 *   `onIdle()`: it failed, was cancelled or was not accepted: the form may be used again
 * @returns {HTMLElement & {submit: Function, watch: Function, busy: boolean}}
 *   `submit({path, fields, file})` sends a form with a file, `submit({path, json})` a body without one;
 *   `watch(jobId)` shows a job that is there already.
 */
export function jobPanel({signal, onJob = () => {}, onEvent = () => {}, onDone = () => {}, onIdle = () => {}}) {
  const status = h("p", {class: "job-status", role: "status", tabindex: "-1"});
  const share = h("span", {class: "job-share"});
  const bar = h("progress", {max: "1", "aria-label": t("progress")});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const note = h("p", {class: "hint", role: "status"});
  const cancel = h("button", {type: "button", class: "quiet", on: {click: stop}}, icon("close"), t("cancel"));
  const again = h("button", {type: "button", on: {click: retry}}, icon("retry"), t("retry"));
  const element = h("section", {class: "card job-panel", hidden: true, "aria-label": t("progress")},
    h("div", {class: "row spread"}, status, share), bar, note, fault, h("div", {class: "row"}, cancel, again));
  element.busy = false;
  let [job, watched, submission, running] = [null, null, null, null];
  let [sending, cancelling, lastEvent, said] = [false, false, 0, ""];
  signal.addEventListener("abort", () => running?.abort(), {once: true});
  addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); }, {signal});

  function say(sentence) {
    if (sentence === said) return;
    said = sentence;
    fill(status, sentence);
  }

  const remark = (sentence) => { if (note.textContent !== sentence) fill(note, sentence); };

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

  function progress(fraction) {
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    fill(share, fraction === null ? "" : percent(fraction));
  }

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

  element.submit = (asked) => {
    submission = {...asked, idempotencyKey: submissionKey()};
    forget();
    return run(send);
  };

  async function send(mine) {
    const {path, fields = {}, file, json, idempotencyKey} = submission;
    say(t(file ? "sending" : "asking"));
    progress(file ? 0 : null);
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
      accepted = await askJson(path, {method: "POST", json, signal: mine, headers: {"Idempotency-Key": idempotencyKey}});
    }
    job = accepted;
    onJob(accepted);
    await goOn(mine);
  }

  /** Follow what the service has accepted, unless it was called off meanwhile. */
  async function goOn(mine) {
    if (cancelling) await callOff();
    if (!mine.aborted) await follow(mine);
  }

  function showSending(fraction) {
    progress(fraction < 1 ? fraction : null);
    if (fraction < 1 || !sending) return;
    sending = false;
    remark("");
    if (!cancelling) say(t("sent"));
  }

  element.watch = (jobId) => {
    forget();
    submission = null;
    watched = jobId;
    return run(find);
  };

  async function find(mine) {
    say(t("looking"));
    progress(null);
    cancel.hidden = true;
    job = await askJson(`v1/jobs/${watched}`, {signal: mine});
    cancel.hidden = false;
    await follow(mine);
  }

  /** Show the job until it has ended; by its events, or where these can't be had by asking for it again and again. */
  async function follow(mine) {
    show(job);
    const following = new AbortController();
    mine.addEventListener("abort", () => following.abort(), {once: true});
    let connected = true;
    const onConnection = (now) => {
      connected = now;
      remark(now ? "" : t("lost"));
    };
    const wanted = () => !connected || job.state === "queued";
    await Promise.race([
      followJob(job.id, hear, following.signal, {onConnection, after: lastEvent}), poll(wanted, following.signal),
    ]);
    following.abort();
    job = await askJson(`v1/jobs/${job.id}`, {signal: mine});
    conclude();
  }

  /** Events tell no place in the queue; it is asked for while the job waits. */
  async function poll(wanted, mine) {
    for (;;) {
      await pause(POLL_S, mine);
      if (!wanted()) continue;
      try {
        const seen = await askJson(`v1/jobs/${job.id}`, {signal: mine});
        if (!wanted()) continue;
        if (!isActive(seen)) return;
        show(seen);
      } catch (error) {
        if (mine.aborted || error.status === 404) throw error;
      }
    }
  }

  function hear({id, type, data}) {
    lastEvent = id;
    if (type === "queued") job = {...job, state: "queued"};
    else if (type === "started") job = {...job, state: "running"};
    else if (type === "retrying" && !cancelling) say(t("retrying"));
    else if (type === "progress") show({...job, state: "running", stage: data.stage, progress: data.progress});
    onEvent({id, type, data});
  }

  function show(seen) {
    job = seen;
    if (!isActive(seen)) return;
    const waits = seen.state === "queued";
    progress(waits ? null : seen.progress);
    if (cancelling) return;
    if (waits) say(seen.queue_position > 1 ? t("queued", {n: seen.queue_position}) : t("queued_first"));
    else say(t(STAGES.has(seen.stage) ? seen.stage : "running"));
  }

  function conclude() {
    if (job.state === "succeeded") {
      say(t("done"));
      end(null, {retriable: false});
      element.hidden = true;
      onDone(job);
    } else if (job.state === "cancelled") {
      say(t("cancelled"));
      end(null);
      onIdle();
    } else {
      say("");
      end(problemOf({...job.error, correlation_id: job.correlation_id}).message);
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
    if (job === null || !isActive(job)) return;
    try {
      await cancelJob(job.id, signal);
    } catch (error) {
      cancelling = false;
      const sentence = sentenceOf(error);
      if (running.signal.aborted || !sentence) return;
      show(job);
      cancel.ariaDisabled = null;
      fault.hidden = false;
      fill(fault, sentence);
    }
  }

  function retry() {
    if (job === null) return watched ? run(find) : run(send);
    // The connection was lost, not the job.
    if (isActive(job) || job.state === "succeeded") return run(follow);
    return run(async (mine) => {
      say(t("asking"));
      progress(null);
      try {
        job = await askJson(`v1/jobs/${job.id}/retry`, {method: "POST", signal: mine});
      } catch (error) {
        if ([404, 410].includes(error.status) && submission) {
          // What was sent is gone in the service, but still at hand here.
          submission.idempotencyKey = submissionKey();
          forget();
          await send(mine);
          return;
        }
        if (error.status !== 409) throw error;
        // Somebody was faster, in another tab perhaps.
        job = await askJson(`v1/jobs/${job.id}`, {signal: mine});
        if (job.state === "failed" || job.state === "cancelled") throw error;
      }
      onJob(job);
      await goOn(mine);
    });
  }

  return element;
}

// What the API refuses for good comes back the same however often it is asked for.
const isFinal = (error) => error instanceof Problem && error.status >= 400 && error.status < 500 &&
  ![408, 409, 429].includes(error.status);
