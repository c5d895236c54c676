/**
 * Voice check: a form for a recording, its timeline while it is judged, and the verdict.
 * @import {Job, Me, Place, SpeechTurn, SpoofJob, Submission} from "../lib/types.js"
 */

import {ask, askJson, hasStatus, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, focusFirst, h, icon} from "../lib/dom.js";
import {followJob} from "../lib/events.js";
import {translations} from "../lib/i18n.js";
import {jobHash} from "../lib/job-kinds.js";
import {jobPanel} from "../lib/job-panel.js";
import {save} from "../lib/media.js";
import {RecordingPlayer} from "../lib/recording-player.js";
import {soundInput} from "../lib/sound-input.js";
import {failure} from "../lib/try-again.js";
import {segments} from "./segments.js";
import {speakerVerdicts} from "./speakers.js";
import {liveTimeline, timeline} from "./timeline.js";
import {verdictCard} from "./verdict.js";

const t = translations({
  en: {
    lead: "Find out whether a voice was made by a machine.", recording: "Recording", analyse: "Analyse",
    first: "Choose or record something first.",
    diarize: "Judge every speaker, too", count: "How many speakers? Leave it empty if you don't know.",
    truncated: "Use what can be read if the file is damaged or cut off",
    link: "Copy the link", download: "Download the result (JSON)", another: "Check another",
    loading: "Loading the result…",
  },
  ru: {
    lead: "Узнайте, создан ли голос машиной.", recording: "Запись", analyse: "Анализировать",
    first: "Сначала выберите или запишите что-нибудь.",
    diarize: "Оценить и каждого говорящего", count: "Сколько говорящих? Не знаете — оставьте пустым.",
    truncated: "Если файл повреждён или обрезан, взять то, что читается",
    link: "Скопировать ссылку", download: "Скачать результат (JSON)", another: "Проверить другую",
    loading: "Результат загружается…",
  },
});

const MOST_SPEAKERS = 20;

/**
 * Show the section: the form, or a job.
 * @param {HTMLElement} root
 * @param {Place} place
 */
export async function mount(root, {owner, params: [jobId], signal, showInAddress}) {
  const problem = h("p", {class: "fault", role: "alert", hidden: true});
  const sayProblem = (/** @type {string|null} */ sentence) => {
    problem.hidden = !sentence;
    fill(problem, sentence ?? "");
  };
  const live = liveTimeline({signal});
  const result = h("div", {class: "stack", hidden: true});
  /** @type {SpeechTurn[]|null} */
  let turns = null;
  const panel = jobPanel({
    signal,
    onJob: (job) => {
      form.hidden = true;
      showInAddress(job.id);
    },
    onEvent: (event) => {
      live.hear(event);
      if (event.type === "diarized") ({turns} = event.data);
    },
    onDone: (job) => showResult(/** @type {SpoofJob} */ (job), turns),
    onIdle: () => {
      live.clear();
      form.hidden = false;
    },
  });
  // A message about one recording is not about the next.
  const onFile = () => { panel.hidden = !panel.busy; };
  const form = startForm({owner, signal, problem, sayProblem, onFile, onStart: (asked) => {
    form.hidden = true;
    turns = null;
    panel.submit(asked);
    panel.tabIndex = -1;
    panel.focus();
  }});
  root.append(form, panel, live, result);
  if (!jobId) return;
  form.hidden = true;
  await open();

  async function open() {
    try {
      const job = await askJson(`v1/jobs/${jobId}`, {signal});
      if (job.kind !== "spoof") location.replace(jobHash(job) ?? "#/history");
      else if (job.state === "succeeded") await showResult(job, null);
      else panel.watch(job.id);
    } catch (error) {
      if (!hasStatus(error, 404)) throw error;
      form.hidden = false;
      sayProblem(sentenceOf(error));
    }
  }

  /**
   * @param {SpoofJob} job
   * @param {SpeechTurn[]|null} heard null where it is not known who spoke when
   */
  async function showResult(job, heard) {
    const within = root.contains(document.activeElement) || document.activeElement === document.body;
    result.hidden = false;
    fill(result, h("p", {class: "hint", role: "status"}, t("loading")));
    let report;
    try {
      report = await askJson(`v1/jobs/${job.id}/artifacts/spoof.json`, {signal});
    } catch (error) {
      fill(result, failure(error, () => showResult(job, heard), another()));
      return;
    }
    live.clear();
    const player = new RecordingPlayer(job.id, signal);
    const {card, heading} = verdictCard({report, name: job.filename, actions: actions(job)});
    const speakers = report.speakers ? speakerVerdicts({job, report, judged: report.speakers, player, signal}) : null;
    fill(result, card,
      report.chunks.length ? timeline({job, report, player, signal}) : null,
      h("div", {class: "columns"}, speakers, segments({report, player, signal})));
    player.load();
    if (within) heading.focus();
    if (heard) speakers?.hear(heard);
    else if (speakers) turnsOf(job).then(speakers.hear);
  }

  /**
   * Read who spoke when from the job's events, which alone have it.
   * @param {Job} job
   */
  async function turnsOf(job) {
    /** @type {SpeechTurn[]} */
    let found = [];
    try {
      await followJob(job.id, ({type, data}) => {
        if (type === "diarized") found = data.turns;
      }, signal);
    } catch { /* Without it the speakers can't be played; all else is there. */ }
    return found;
  }

  /** @param {Job} job */
  function actions(job) {
    const shown = h("code", {hidden: true}, location.href);
    const fault = h("p", {class: "fault", role: "alert", hidden: true});
    return [
      another(),
      copyButton({text: () => location.href, words: t("link"), from: shown, symbol: "link"}),
      h("button", {type: "button", class: "quiet", on: {click: async () => {
        fault.hidden = true;
        try {
          const response = await ask(`v1/jobs/${job.id}/artifacts/spoof.json`, {signal});
          save(await response.blob(), `${(job.filename ?? job.id).replace(/\.[^.]+$/, "")}.spoof.json`);
        } catch (error) {
          const sentence = sentenceOf(error);
          fault.hidden = !sentence;
          fill(fault, sentence ?? "");
        }
      }}}, icon("download"), t("download")),
      shown, fault,
    ];
  }
}

const another = () => h("a", {class: "button", href: "#/voice-check"}, t("another"));

/**
 * @param {object} options
 * @param {Me} options.owner
 * @param {AbortSignal} options.signal
 * @param {HTMLElement} options.problem
 * @param {(sentence: string|null) => void} options.sayProblem
 * @param {() => void} options.onFile
 * @param {(asked: Submission) => void} options.onStart
 */
function startForm({owner, signal, problem, sayProblem, onFile, onStart}) {
  const input = soundInput({limits: owner.limits, signal, onProblem: sayProblem, onFile});
  const diarize = h("input", {type: "checkbox", on: {change: () => {
    count.hidden = number.disabled = !diarize.checked;
  }}});
  const number = h("input", {type: "number", min: "1", max: MOST_SPEAKERS, class: "vc-count", disabled: true});
  const count = h("label", {class: "field vc-count-field", hidden: true}, t("count"), number);
  const truncated = h("input", {type: "checkbox"});
  return h("form", {class: "stack", "aria-label": t("recording"), on: {submit: (event) => {
    event.preventDefault();
    if (!input.file) {
      sayProblem(t("first"));
      focusFirst(input, "button");
      return;
    }
    sayProblem("");
    input.querySelector("audio")?.pause();
    onStart({path: "v1/jobs/spoof", file: input.file, fields: {
      diarize: diarize.checked || null,
      num_speakers: diarize.checked ? number.value : null,
      allow_truncated: truncated.checked || null,
    }});
  }}}, h("p", {}, t("lead")), input,
  h("div", {class: "stack vc-options"},
    h("label", {class: "choice"}, diarize, h("span", {}, t("diarize"))), count,
    h("label", {class: "choice"}, truncated, h("span", {}, t("truncated")))),
  problem, h("div", {class: "row"}, h("button", {type: "submit"}, icon("voice"), t("analyse"))));
}
