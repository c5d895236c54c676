/**
 * The translation of a recording: its form, its job, and its result.
 * @import {Job, Limits} from "../lib/types.js"
 */

import {askJson} from "../lib/api.js";
import {extend, fill, focusFirst, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";
import {jobPanel} from "../lib/job-panel.js";
import {soundInput} from "../lib/sound-input.js";
import {failure} from "../lib/try-again.js";
import {languagePair, voiceChoice} from "./languages.js";
import {translationResult, utteranceRows} from "./result.js";

const t = translations({
  en: {
    title: "A recording in another language", result: "Result", spoken: "Spoken, with texts and subtitles",
    texts: "Texts and subtitles only", format: "Sound file", start: "Translate the recording",
    none: "Choose or record something first.", another: "Translate another recording",
    so_far: "Translated so far", recording: "Recording", other_kind: "This link leads to a job of another kind. ",
    history: "Find yours in the history.",
  },
  ru: {
    title: "Запись на другом языке", result: "Результат", spoken: "Озвучка, тексты и субтитры",
    texts: "Только тексты и субтитры", format: "Звуковой файл", start: "Перевести запись",
    none: "Сначала выберите или запишите что-нибудь.", another: "Перевести другую запись",
    so_far: "Уже переведено", recording: "Запись", other_kind: "Эта ссылка ведёт к заданию другого вида. ",
    history: "Своё ищите в истории.",
  },
});

const FORMATS = {wav: "WAV", mp3: "MP3", opus: "Opus", flac: "FLAC"};

/**
 * Make the panel. It has `jobId`, of the job it shows, and `watch(jobId)`.
 * @param {object} options
 * @param {import("./languages.js").LanguageList} options.list
 * @param {Limits} options.limits
 * @param {AbortSignal} options.signal
 * @param {(...params: string[]) => void} options.showInAddress
 */
export function filePanel({list, limits, signal, showInAddress}) {
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const start = h("button", {type: "submit", disabled: true}, t("start"));
  const input = soundInput({onFile: () => {}, onProblem: complain, limits, signal});
  const voice = voiceChoice({signal});
  const pair = languagePair({list, fromSpeech: true, onChange: (now) => {
    voice.offer(now?.target ?? null);
    start.disabled = !now;
  }});
  const format = h("select", {}, Object.entries(FORMATS).map(([id, name]) => h("option", {value: id}, name)));
  const radio = (/** @type {boolean} */ checked) => h("input", {type: "radio", name: "translate-speak", checked, on: {change: chooseSpeech}});
  const [spoken, texts] = [radio(true), radio(false)];
  const sound = h("div", {class: "columns"}, voice.element, h("label", {class: "field"}, h("span", {}, t("format")), format));
  const form = h("form", {class: "card", on: {submit: (event) => {
    event.preventDefault();
    submit();
  }}},
    h("h2", {}, t("title")), input, pair,
    h("fieldset", {}, h("legend", {}, t("result")), h("div", {class: "row"},
      h("label", {class: "choice"}, spoken, h("span", {}, t("spoken"))),
      h("label", {class: "choice"}, texts, h("span", {}, t("texts"))))),
    sound, fault, h("div", {class: "row"}, start));

  const name = h("h2", {class: "file-name", tabindex: "-1"});
  const rows = utteranceRows();
  const soFar = h("section", {class: "card", hidden: true}, h("h3", {}, t("so_far")), rows.element);
  const result = h("div", {class: "stack"});
  const panel = jobPanel({
    signal,
    onJob: begin,
    onEvent: ({type, data}) => {
      // Another attempt begins anew.
      if (type === "started") rows.clear();
      else if (type === "utterance") rows.add(data);
      soFar.hidden = rows.element.childElementCount === 0;
    },
    onDone: finish,
    onIdle: () => { form.hidden = false; },
  });
  const another = h("button", {type: "button", class: "quiet", on: {click: startOver}}, icon("upload"), t("another"));
  const head = h("div", {class: "row spread", hidden: true}, name, another);
  const element = extend(h("div", {}, head, panel, soFar, result, form), {
    jobId: /** @type {string|null} */ (null), watch,
  });

  /** @param {string|null} sentence */
  function complain(sentence) {
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  function chooseSpeech() {
    sound.hidden = !spoken.checked;
  }

  function submit() {
    complain(input.file ? "" : t("none"));
    if (!input.file) {
      focusFirst(input, "button");
      return;
    }
    if (!pair.pair) return;
    const {source, target} = pair.pair;
    const speech = spoken.checked ? {voice: voice.select.value, audio_format: format.value} : {speak: false};
    work(input.file.name);
    name.focus();
    panel.submit({path: "v1/jobs/translation", fields: {source, target, ...speech}, file: input.file});
  }

  /**
   * Show a job in the form's place.
   * @param {string} filename
   */
  function work(filename) {
    fill(name, filename);
    form.hidden = true;
    head.hidden = false;
    another.hidden = true;
    rows.clear();
    soFar.hidden = true;
    fill(result);
  }

  /** @param {Job} job */
  function begin(job) {
    element.jobId = job.id;
    form.hidden = true;
    showInAddress(job.id);
  }

  /** @param {Job} job */
  async function finish(job) {
    another.hidden = false;
    if (job.kind !== "translation") {
      fill(result, h("p", {class: "notice"}, t("other_kind"), h("a", {href: "#/history"}, t("history"))));
      return;
    }
    fill(name, job.filename ?? t("recording"));
    try {
      const report = await askJson(`v1/jobs/${job.id}/artifacts/translation.json`, {signal});
      fill(result, translationResult({job, report, signal}));
      soFar.hidden = true;
    } catch (error) {
      fill(result, failure(error, () => finish(job)));
    }
  }

  function startOver() {
    element.jobId = null;
    head.hidden = true;
    fill(result);
    form.hidden = false;
    input.clear();
    showInAddress("file");
    focusFirst(input, "button");
  }

  /** @param {string} jobId */
  function watch(jobId) {
    element.jobId = jobId;
    work(t("recording"));
    panel.watch(jobId);
  }

  return element;
}
