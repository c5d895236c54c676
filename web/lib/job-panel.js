/** One job from its submission to its end: upload, place in the queue, stages, cancel, retry. */

import {askJson, Problem, problemOf, sentenceOf} from "./api.js";
import {fill, h, icon} from "./dom.js";
import {followJob} from "./events.js";
import {percent, speaker} from "./i18n.js";
import {submissionKey, upload} from "./upload.js";

const t = speaker({
  en: {
    sending: "Sending the file", accepted: "Accepted", queued: "Waiting: number {n} in the queue", queued_first: "Waiting: next in line",
    running: "Working", decode: "Reading the recording", transcribe: "Recognising speech and speakers", spoof: "Judging the voice",
    translate: "Recognising, translating and speaking", prepare: "Preparing the face", film: "Filming",
    retrying: "Trying once more", cancelled: "Cancelled. Nothing of it was kept but the recording.", cancel: "Cancel", retry: "Try again",
    lost: "The connection broke; the work goes on, and this page looks for it again.", progress: "Progress", done: "Done",
  },
  ru: {
    sending: "Передача файла", accepted: "Принято", queued: "В очереди: место {n}", queued_first: "В очереди: следующее",
    running: "Выполняется", decode: "Чтение записи", transcribe: "Распознавание речи и говорящих", spoof: "Проверка голоса",
    translate: "Распознавание, перевод и озвучивание", prepare: "Подготовка лица", film: "Съёмка",
    retrying: "Ещё одна попытка", cancelled: "Отменено. Сохранена только запись.", cancel: "Отменить", retry: "Повторить",
    lost: "Связь прервалась; работа продолжается, страница ищет её снова.", progress: "Ход работы", done: "Готово",
  },
});

const QUEUE_POLL_S = 2;
const STAGES = new Set(["decode", "transcribe", "spoof", "translate", "prepare", "film"]);

/**
 * Make a panel for one job at a time.
 *
 * It hides itself while there is nothing to say: before a submission, and after success.
 * @param {object} options
 *   `signal`: ends everything here (the job goes on in the service);
 *   `onJob(job)`: it was accepted, or retried: the moment to put its id into the address;
 *   `onEvent({id, type, data})`: each of docs/api.md's events, from the job's beginning;
 *   `onDone(job)`: it succeeded;
 *   `onIdle()`: it failed, was cancelled or was not accepted: the form may be used again
 * @returns {HTMLElement & {submit: Function, watch: Function, busy: boolean}}
 *   `submit({path, fields, file})` sends a form with a file, `submit({path, json})` a body without one;
 *   `watch(jobId)` shows a job that is there already.
 */
export function jobPanel({signal, onJob = () => {}, onEvent = () => {}, onDone = () => {}, onIdle = () => {}}) {
  const status = h("p", {class: "job-status", role: "status"});
  const share = h("span", {class: "job-share"});
  const bar = h("progress", {max: "1", "aria-label": t("progress")});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const note = h("p", {class: "hint", hidden: true}, t("lost"));
  const cancel = h("button", {type: "button", class: "quiet", on: {click: stop}}, icon("close"), t("cancel"));
  const again = h("button", {type: "button", on: {click: retry}}, icon("retry"), t("retry"));
  const element = h("section", {class: "card job-panel", hidden: true, "aria-label": t("progress")},
    h("div", {class: "row spread"}, status, share), bar, note, fault, h("div", {class: "row"}, cancel, again));
  element.busy = false;
  let [job, submission, running, said] = [null, null, null, ""];
  signal.addEventListener("abort", () => running?.abort(), {once: true});

  function say(sentence) {
    if (sentence === said) return;
    said = sentence;
    fill(status, sentence);
  }

  function begin() {
    running?.abort();
    running = new AbortController();
    element.busy = true;
    element.hidden = false;
    fault.hidden = again.hidden = note.hidden = true;
    bar.hidden = cancel.hidden = cancel.disabled = false;
    element.setAttribute("aria-busy", "true");
    return running.signal;
  }

  function progress(fraction) {
    if (fraction === null) bar.removeAttribute("value");
    else bar.value = fraction;
    fill(share, fraction === null ? "" : percent(fraction));
  }

  function end(sentence, {retriable = true} = {}) {
    running?.abort();
    element.busy = false;
    element.removeAttribute("aria-busy");
    bar.hidden = cancel.hidden = note.hidden = true;
    fill(share, "");
    again.hidden = !retriable;
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  async function run(work) {
    const mine = begin();
    try {
      await work(mine);
    } catch (error) {
      if (mine.aborted) return;
      const missing = error instanceof Problem && error.status === 404;
      say("");
      end(sentenceOf(error), {retriable: !missing && !(job === null && isFinal(error))});
      onIdle();
    }
  }

  element.submit = (asked) => {
    submission = {...asked, idempotencyKey: submissionKey()};
    job = null;
    return send();
  };

  function send() {
    return run(async (mine) => {
      const {path, fields = {}, file, json, idempotencyKey} = submission;
      say(file ? t("sending") : t("accepted"));
      progress(file ? 0 : null);
      const accepted = file
        ? await upload(path, fields, file, {onProgress: progress, signal: mine, idempotencyKey})
        : await askJson(path, {method: "POST", json, signal: mine, headers: {"Idempotency-Key": idempotencyKey}});
      onJob(accepted);
      await follow(accepted, mine);
    });
  }

  element.watch = (jobId) => run(async (mine) => {
    job = null;
    say(t("accepted"));
    progress(null);
    await follow(await askJson(`v1/jobs/${jobId}`, {signal: mine}), mine);
  });

  async function follow(accepted, mine) {
    job = accepted;
    show(job);
    if (job.state === "queued") pollQueue(mine);
    await followJob(job.id, (event) => hear(event), mine, (connected) => { note.hidden = connected; });
    job = await askJson(`v1/jobs/${job.id}`, {signal: mine});
    show(job);
  }

  /** Events tell no place in the queue; it is asked for while the job waits. */
  async function pollQueue(mine) {
    try {
      while (!mine.aborted && job.state === "queued") {
        const seen = await askJson(`v1/jobs/${job.id}`, {signal: mine});
        if (job.state === "queued" && seen.state === "queued") show(seen);
        await new Promise((resolve) => setTimeout(resolve, QUEUE_POLL_S * 1000));
      }
    } catch { /* The events tell what matters. */ }
  }

  function hear({id, type, data}) {
    if (type === "queued") job = {...job, state: "queued"};
    else if (type === "started") job = {...job, state: "running"};
    else if (type === "retrying") say(t("retrying"));
    else if (type === "progress") {
      job = {...job, state: "running", stage: data.stage};
      showRunning(data.stage, data.progress);
    }
    onEvent({id, type, data});
  }

  function showRunning(stage, fraction) {
    say(t(STAGES.has(stage) ? stage : "running"));
    progress(fraction);
  }

  function show(seen) {
    job = seen;
    if (seen.state === "queued") {
      say(seen.queue_position > 1 ? t("queued", {n: seen.queue_position}) : t("queued_first"));
      progress(null);
    } else if (seen.state === "running") showRunning(seen.stage, seen.progress);
    else if (seen.state === "succeeded") {
      say(t("done"));
      end(null, {retriable: false});
      element.hidden = true;
      onDone(seen);
    } else if (seen.state === "cancelled") {
      say(t("cancelled"));
      end(null);
      onIdle();
    } else {
      say("");
      end(problemOf({...seen.error, correlation_id: seen.correlation_id}).message);
      onIdle();
    }
  }

  async function stop() {
    cancel.disabled = true;
    if (job === null) {
      say(t("cancelled"));
      end(null);
      onIdle();
      return;
    }
    try {
      await askJson(`v1/jobs/${job.id}`, {method: "DELETE", signal});
    } catch (error) {
      cancel.disabled = false;
      fault.hidden = false;
      fill(fault, sentenceOf(error) ?? "");
    }
  }

  function retry() {
    if (job === null) return submission ? send() : null;
    return run(async (mine) => {
      progress(null);
      const again = await askJson(`v1/jobs/${job.id}/retry`, {method: "POST", signal: mine});
      onJob(again);
      await follow(again, mine);
    });
  }

  return element;
}

// What the API refuses for good comes back the same however often it is sent.
const isFinal = (error) => error instanceof Problem && error.status >= 400 && error.status < 500 &&
  ![408, 409, 429].includes(error.status);
