/** Voice check: is this voice real? A recording is given, judged while one watches, and the result explained. */

import {ask, askJson, Problem, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, h, icon} from "../lib/dom.js";
import {followJob} from "../lib/events.js";
import {speaker} from "../lib/i18n.js";
import {jobPanel} from "../lib/job-panel.js";
import {save} from "../lib/media.js";
import {RecordingPlayer} from "../lib/recording-player.js";
import {soundInput} from "../lib/sound-input.js";
import {failure} from "../lib/try-again.js";
import {segments} from "./segments.js";
import {speakerVerdicts} from "./speakers.js";
import {liveTimeline, timeline} from "./timeline.js";
import {verdictCard} from "./verdict.js";

const t = speaker({
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
const SECTIONS = {transcription: "transcript", translation: "translate", avatar: "avatar"};

export async function mount(root, {owner, params: [jobId], signal, showInAddress}) {
  const problem = h("p", {class: "fault", role: "alert", hidden: true});
  const sayProblem = (sentence) => {
    problem.hidden = !sentence;
    fill(problem, sentence ?? "");
  };
  const live = liveTimeline({signal});
  const result = h("div", {class: "stack", hidden: true});
  let turns = null;
  const panel = jobPanel({
    signal,
    onJob: (job) => {
      form.hidden = true;
      showInAddress(job.id);
    },
    onEvent: ({type, data}) => {
      live.hear(type, data);
      if (type === "diarized") ({turns} = data);
    },
    onDone: (job) => showResult(job, turns),
    onIdle: () => {
      live.clear();
      form.hidden = false;
    },
  });
  // What was said of one recording is not about the next.
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
      if (job.kind in SECTIONS) location.replace(`#/${SECTIONS[job.kind]}/${job.id}`);
      else if (job.state === "succeeded") await showResult(job, null);
      else panel.watch(job.id);
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      form.hidden = false;
      sayProblem(error.message);
    }
  }

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
    const speakers = report.speakers ? speakerVerdicts({job, report, player, signal}) : null;
    fill(result, card,
      report.chunks.length ? timeline({job, report, player, signal}) : null,
      h("div", {class: "columns"}, speakers, segments({report, player, signal})));
    player.load();
    if (within) heading.focus();
    if (heard) speakers?.hear(heard);
    else if (speakers) turnsOf(job).then(speakers.hear);
  }

  /** Who spoke when is told by the job's events only. */
  async function turnsOf(job) {
    let found = [];
    try {
      await followJob(job.id, ({type, data}) => {
        if (type === "diarized") found = data.turns;
      }, signal);
    } catch { /* Without it the speakers can't be played; all else is there. */ }
    return found;
  }

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
      input.querySelector("button").focus();
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
