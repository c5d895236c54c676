/**
 * Avatar: a face, words, and the film of one saying the other, watched while it is made or made in the background.
 * @import {AvatarJob, Job, Place} from "../lib/types.js"
 */

import {ask, askJson, isAbort, Problem, sentenceOf} from "../lib/api.js";
import {copyButton} from "../lib/copy-button.js";
import {fill, h, icon} from "../lib/dom.js";
import {playArriving} from "../lib/film-player.js";
import {translations} from "../lib/i18n.js";
import {jobPanel} from "../lib/job-panel.js";
import {BUNDLED, faceChoice, nameOf} from "./faces.js";
import {stage} from "./stage.js";
import {speechInput} from "./speech-input.js";

const t = translations({
  en: {
    make: "Make the film", making: "Making it…", background: "Make it in the background",
    background_hint: "For long films: it goes on when you leave, and waits for you in the history.",
    label: "Visible label", label_hint: "It says in the picture that the film is synthetic.",
    synthetic: "Films are synthetic. Each one says so in its file, with or without the visible label.",
    cut: "The connection broke before the film was complete. Try again, or make it in the background.", copy: "Copy the link",
  },
  ru: {
    make: "Создать видео", making: "Создаётся…", background: "Создать в фоне",
    background_hint: "Для длинных видео: работа продолжится, если вы уйдёте, а результат будет ждать в истории.",
    label: "Видимая пометка", label_hint: "На самой картинке написано, что видео синтетическое.",
    synthetic: "Видео синтетические. Это указано в каждом файле, с видимой пометкой или без неё.",
    cut: "Связь прервалась до конца видео. Попробуйте ещё раз или создайте его в фоне.", copy: "Скопировать ссылку",
  },
});

const FILM = "avatar.mp4";

/**
 * Show the section: the form, and a job where the address names one.
 * @param {HTMLElement} root
 * @param {Place} place
 */
export function mount(root, {owner: {limits}, params: [jobId], signal, showInAddress}) {
  const screen = stage({signal, onStop: () => running?.abort()});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const faces = faceChoice({limits, signal, onChoice: (avatar, picture) => {
    screen.face({...avatar, name: nameOf(avatar)}, picture);
  }});
  const said = speechInput({limits, signal, onProblem: tell, onSubmit: () => { if (!running && !panel.busy) film(); }});
  const label = h("input", {type: "checkbox"});
  const make = h("button", {type: "button", on: {click: film}}, icon("play"), t("make"));
  const later = h("button", {type: "button", class: "quiet", on: {click: inBackground}}, t("background"));
  const link = h("code", {class: "avatar-link", hidden: true});
  const share = h("div", {class: "stack", hidden: true},
    copyButton({text: () => location.href, words: t("copy"), from: link, symbol: "link"}), link);
  const panel = jobPanel({signal, onJob: ({id}) => {
    showInAddress(id);
    offerLink(true);
    settle();
  }, onDone: (job) => showJob(/** @type {AvatarJob} */ (job)), onIdle: settle});
  /** @type {AbortController|null} */
  let running = null;
  signal.addEventListener("abort", () => running?.abort(), {once: true});

  root.append(h("div", {class: "avatar-layout"},
    h("div", {class: "avatar-seen"}, screen, panel, share),
    h("div", {class: "stack"}, faces, said,
      h("div", {class: "card"},
        h("label", {class: "choice"}, label,
          h("span", {}, t("label"), h("br"), h("span", {class: "hint"}, t("label_hint")))),
        h("div", {class: "row"}, make, later),
        fault, h("p", {class: "hint"}, t("background_hint")), h("p", {class: "hint"}, t("synthetic"))))));
  if (jobId) watch(jobId);

  /** @param {string|null} sentence */
  function tell(sentence) {
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  function settle() {
    fill(make, icon("play"), t(running ? "making" : "make"));
    make.disabled = later.disabled = panel.busy || running !== null;
  }

  /** Return what is asked for; null where something is missing. */
  function asked() {
    tell("");
    const given = said.asked();
    return given && {...given, ...(label.checked && {label: true})};
  }

  async function film() {
    const wish = asked();
    if (!wish) return;
    const {id, name} = faces.chosen;
    const mine = running = new AbortController();
    const pressed = document.activeElement === make;
    panel.hidden = true;
    showInAddress();
    offerLink(false);
    screen.begin();
    if (pressed) screen.stop.focus();
    settle();
    screen.scrollIntoView({block: "nearest"});
    try {
      const response = await ask(`v1/avatars/${id}/speak`, {method: "POST", signal: mine.signal, ...bodyOf(wish)});
      screen.complete(await arrived(response), id === BUNDLED ? FILM : `${name}.mp4`);
    } catch (error) {
      const stopping = document.activeElement === screen.stop;
      screen.clear();
      running = null;
      settle();
      if (stopping) make.focus();
      if (!signal.aborted) tell(sentenceOf(error));
    }
    running = null;
    settle();
  }

  /** @param {Response} response */
  async function arrived(response) {
    try {
      if (!response.body) throw new Error("no film");
      return await playArriving(screen.video, response.body);
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Problem("film_cut", {detail: t("cut")});
    }
  }

  function inBackground() {
    const wish = asked();
    if (!wish) return;
    screen.clear();
    const {file, ...rest} = {...wish, avatar: faces.chosen.id};
    panel.submit({path: "v1/jobs/avatar", ...(file ? {fields: rest, file} : {json: rest})});
    settle();
    panel.scrollIntoView({block: "nearest"});
  }

  /**
   * Show an existing job, and put what it was asked for back into the form.
   * @param {string} id
   */
  async function watch(id) {
    const following = panel.watch(id);
    settle();
    try {
      const {params} = await askJson(`v1/jobs/${id}`, {signal});
      offerLink(true);
      said.fillIn(params);
      label.checked = params.label ?? false;
      faces.choose(params.avatar ?? BUNDLED);
    } catch { /* The panel says what is wrong with it. */ }
    await following;
  }

  /** @param {AvatarJob} job */
  function showJob({id, result}) {
    settle();
    if (result) screen.show({jobId: id, name: FILM, seconds: result.seconds});
  }

  /** @param {boolean} is */
  function offerLink(is) {
    share.hidden = !is;
    fill(link, location.href);
  }
}

/** @param {import("./speech-input.js").Wish & {label?: boolean}} wish */
function bodyOf({file, ...rest}) {
  if (!file) return {json: rest};
  const body = new FormData();
  for (const [name, value] of Object.entries(rest)) body.append(name, String(value));
  body.append("file", file, file.name);
  return {body};
}
