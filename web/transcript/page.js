/**
 * Transcript: a form for a recording, its words while they are recognised, and the transcript.
 * @import {Place, TranscriptionJob} from "../lib/types.js"
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";
import {jobHash} from "../lib/job-kinds.js";
import {jobPanel} from "../lib/job-panel.js";
import {RecordingPlayer} from "../lib/recording-player.js";
import {failure} from "../lib/try-again.js";
import {startForm} from "./form.js";
import {liveTranscript} from "./live.js";
import {People} from "./people.js";
import {transcriptResult} from "./result.js";

const t = translations({
  en: {another: "Transcribe another", loading: "Loading the transcript…", recording: "Recording"},
  ru: {another: "Расшифровать другую", loading: "Расшифровка загружается…", recording: "Запись"},
});

/**
 * Show the section: the form, or a job.
 * @param {HTMLElement} root
 * @param {Place} place
 */
export async function mount(root, {owner, params: [jobId], signal, showInAddress}) {
  const problem = h("p", {class: "fault", role: "alert", hidden: true});
  const complain = (/** @type {string|null} */ sentence) => {
    problem.hidden = !sentence;
    fill(problem, sentence ?? "");
  };
  const live = liveTranscript();
  const result = h("div", {class: "stack", hidden: true});
  const panel = jobPanel({
    signal,
    onJob: (job) => {
      form.hidden = true;
      showInAddress(job.id);
    },
    onEvent: live.hear,
    onDone: (job) => show(/** @type {TranscriptionJob} */ (job)),
    onIdle: () => { form.hidden = false; },
  });
  const form = startForm({limits: owner.limits, signal, problem, complain, onStart: (asked) => {
    form.hidden = true;
    live.clear();
    panel.submit(asked);
  }});
  root.append(form, panel, live, result);
  if (!jobId) return;
  form.hidden = true;
  await open();

  async function open() {
    try {
      const job = await askJson(`v1/jobs/${encodeURIComponent(jobId)}`, {signal});
      if (job.kind !== "transcription") location.replace(jobHash(job) ?? "#/history");
      else if (job.state === "succeeded") await show(job);
      else panel.watch(job.id);
    } catch (error) {
      form.hidden = false;
      complain(sentenceOf(error));
    }
  }

  /**
   * Fetch and show the transcript of a job that succeeded.
   * @param {TranscriptionJob} job
   */
  async function show(job) {
    const player = new RecordingPlayer(job.id, signal);
    let drawn = new AbortController();
    player.load();
    await draw(true);

    /** @param {boolean} focus */
    async function draw(focus) {
      drawn.abort();
      drawn = new AbortController();
      const mine = AbortSignal.any([signal, drawn.signal]);
      const within = root.contains(document.activeElement) || document.activeElement === document.body;
      if (focus) fill(result, h("p", {class: "hint", role: "status"}, t("loading")));
      result.hidden = false;
      try {
        const transcript = await askJson(`v1/jobs/${job.id}/artifacts/transcript.json`, {signal: mine});
        const people = new People(job, signal);
        people.addEventListener("regroup", () => draw(false), {signal: mine});
        const heading = h("h2", {class: "file-name", tabindex: "-1"}, job.filename ?? t("recording"));
        const actions = h("a", {class: "button quiet", href: "#/transcript"}, icon("upload"), t("another"));
        live.clear();
        fill(result, transcriptResult({job, transcript, people, player, heading, actions, signal: mine}));
        if (within) heading.focus({preventScroll: !focus});
      } catch (error) {
        if (!mine.aborted) fill(result, failure(error, () => draw(true)));
      }
    }
  }
}
