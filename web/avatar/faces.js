/**
 * The choice of a face; a picture or clip can be kept as one, and one can be erased.
 * @import {Avatar, Limits} from "../lib/types.js"
 */

import {ask, askJson, hasStatus, sentenceOf} from "../lib/api.js";
import {extend, fill, focusFirst, h, icon, uniqueId} from "../lib/dom.js";
import {bytes, duration, percent, translations} from "../lib/i18n.js";
import {soundInput} from "../lib/sound-input.js";
import {failure} from "../lib/try-again.js";
import {upload} from "../lib/upload.js";

const t = translations({
  en: {
    face: "Face", loading: "Loading the faces…", bundled: "The built-in face",
    clip: "clip, {length}", add: "Add a face", hide: "Close", name: "Name", save: "Keep this face", stop: "Cancel",
    drop: "Drop a picture or a short clip here",
    kinds: "A face from the front, evenly lit, mouth shut. JPEG, PNG, WebP, or a clip of up to {seconds}; up to {size}.",
    consent: "Use only pictures of people who have agreed.", preview: "What you chose",
    sending: "Sending it: {share}", looking: "Looking for the face…", added: "“{name}” is here, and chosen.",
    no_file: "Choose a picture or a clip first.", no_name: "Give the face a name.",
    several: "It shows {n} faces; the largest one speaks.",
    erase: "Delete this face", erase_named: "Delete “{name}”?",
    erase_what: "Its picture is erased. Films that are made stay.",
    erase_yes: "Delete", erase_no: "Keep it", erased: "“{name}” is deleted.",
  },
  ru: {
    face: "Лицо", loading: "Загрузка лиц…", bundled: "Встроенное лицо", clip: "ролик, {length}",
    add: "Добавить лицо", hide: "Закрыть", name: "Имя", save: "Сохранить лицо", stop: "Отменить",
    drop: "Перетащите сюда снимок или короткий ролик",
    kinds: "Лицо прямо, ровный свет, рот закрыт. JPEG, PNG, WebP или ролик до {seconds}; размер до {size}.",
    consent: "Берите снимки только тех, кто на это согласен.", preview: "Что вы выбрали",
    sending: "Передача: {share}", looking: "Ищем лицо…", added: "«{name}» добавлено и выбрано.",
    no_file: "Сначала выберите снимок или ролик.", no_name: "Назовите это лицо.",
    several: "Здесь лиц: {n}; говорит самое крупное.",
    erase: "Удалить это лицо", erase_named: "Удалить «{name}»?",
    erase_what: "Снимок будет стёрт. Готовые видео останутся.",
    erase_yes: "Удалить", erase_no: "Оставить", erased: "«{name}» удалено.",
  },
});

const ACCEPT = "image/jpeg,image/png,image/webp,video/mp4,video/quicktime,video/webm,.mkv";
/** The id of the face that everybody has. */
export const BUNDLED = "default";

/**
 * Return what a face is called on this page.
 * @param {Pick<Avatar, "id"|"name">} avatar
 */
export const nameOf = (avatar) => avatar.id === BUNDLED ? t("bundled") : avatar.name;

/**
 * Make the choice of faces. It has the `chosen` one, and `choose(id)`.
 * @param {object} options
 * @param {Limits} options.limits
 * @param {AbortSignal} options.signal
 * @param {(avatar: Avatar, pictureUrl: string|null) => void} options.onChoice another one is chosen, or its picture has
 *   come
 */
export function faceChoice({limits, signal, onChoice}) {
  const cards = h("div", {class: "avatar-faces"});
  const note = h("p", {class: "hint", hidden: true});
  const status = h("p", {class: "hint", role: "status"}, t("loading"));
  const fault = h("div", {hidden: true});
  const erase = h("button", {type: "button", class: "quiet small danger", hidden: true, on: {click: () => askFirst()}},
    icon("trash"), t("erase"));
  const adding = addForm({limits, signal, onAdded: (avatar) => {
    avatars.push(avatar);
    draw();
    choose(avatar.id);
    say(t("added", {name: avatar.name}));
    focusFirst(cards, ":checked");
  }});
  const element = extend(
    h("section", {class: "card"},
      h("fieldset", {class: "stack"}, h("legend", {}, h("h2", {class: "avatar-legend"}, t("face"))), cards),
      note, status, fault, h("div", {class: "row spread"}, adding.opener, erase), adding.form),
    // The bundled face exists also before the others are loaded.
    {chosen: /** @type {Pick<Avatar, "id"|"name">} */ ({id: BUNDLED, name: BUNDLED}), choose});
  const group = uniqueId("face");
  /** @type {Map<string, string>} addresses by id */
  const pictures = new Map();
  /** @type {Avatar[]} */
  let avatars = [];
  let wanted = BUNDLED;
  signal.addEventListener("abort", () => pictures.forEach((url) => URL.revokeObjectURL(url)), {once: true});

  /** @param {string} id */
  function choose(id) {
    wanted = id;
    const avatar = avatars.find((one) => one.id === id);
    if (!avatar) return;
    element.chosen = avatar;
    for (const radio of cards.querySelectorAll("input")) radio.checked = radio.value === id;
    erase.hidden = id === BUNDLED;
    note.hidden = avatar.faces < 2;
    fill(note, t("several", {n: avatar.faces}));
    onChoice(avatar, pictures.get(id) ?? null);
  }

  /** @param {string} sentence */
  function say(sentence) {
    status.hidden = !sentence;
    fill(status, sentence);
  }

  async function load() {
    fault.hidden = true;
    say(t("loading"));
    try {
      ({avatars} = await askJson("v1/avatars", {signal}));
      say("");
      draw();
      choose(avatars.some(({id}) => id === wanted) ? wanted : BUNDLED);
    } catch (error) {
      say("");
      tell(error, load);
    }
  }

  /**
   * @param {unknown} error
   * @param {(() => void)|null} [retry]
   */
  function tell(error, retry = null) {
    const told = failure(error, retry);
    fault.hidden = !told;
    fill(fault, told);
  }

  function draw() {
    fill(cards, avatars.map((avatar) => h("label", {class: "avatar-face"},
      h("input", {type: "radio", name: group, value: avatar.id, on: {change: () => {
        say("");
        choose(avatar.id);
      }}}),
      h("span", {class: "avatar-thumb", data: {id: avatar.id}}, portrait(avatar)),
      h("span", {class: "avatar-name"}, nameOf(avatar)),
      avatar.seconds === null ? null : h("span", {class: "hint"}, t("clip", {length: duration(avatar.seconds)})))));
    loadPictures();
  }

  const portrait = (/** @type {Avatar} */ {id}) => pictures.has(id) ? h("img", {src: pictures.get(id), alt: ""}) : icon("avatar");

  /** One after the other, so that what the person does meanwhile has the network. */
  async function loadPictures() {
    for (const avatar of [...avatars]) {
      if (pictures.has(avatar.id)) continue;
      try {
        const response = await ask(`v1/avatars/${avatar.id}/picture`, {signal});
        const picture = URL.createObjectURL(await response.blob());
        if (signal.aborted) {
          URL.revokeObjectURL(picture);
          return;
        }
        pictures.set(avatar.id, picture);
      } catch {
        if (signal.aborted) return;
        continue; // The name has to do.
      }
      const thumb = cards.querySelector(`[data-id="${CSS.escape(avatar.id)}"]`);
      if (thumb) fill(thumb, portrait(avatar));
      if (element.chosen.id === avatar.id) onChoice(avatar, pictures.get(avatar.id) ?? null);
    }
  }

  function askFirst() {
    const {id} = element.chosen;
    const name = nameOf(element.chosen);
    const title = h("h2", {id: uniqueId("erase")}, t("erase_named", {name}));
    /** @type {HTMLDialogElement} */
    const dialog = h("dialog", {class: "card avatar-dialog", "aria-labelledby": title.id, on: {close: () => {
      const agreed = dialog.returnValue === "yes";
      dialog.remove();
      if (agreed) remove(id, name);
    }}}, title, h("p", {}, t("erase_what")), h("div", {class: "row"},
      h("button", {type: "button", on: {click: () => dialog.close("no")}}, t("erase_no")),
      h("button", {type: "button", class: "quiet danger", on: {click: () => dialog.close("yes")}},
        icon("trash"), t("erase_yes"))));
    element.append(dialog);
    dialog.showModal();
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  async function remove(id, name) {
    fault.hidden = true;
    erase.disabled = true;
    try {
      await askJson(`v1/avatars/${id}`, {method: "DELETE", signal});
    } catch (error) {
      if (!hasStatus(error, 404)) {
        tell(error);
        return;
      }
    } finally {
      erase.disabled = false;
    }
    avatars = avatars.filter((one) => one.id !== id);
    URL.revokeObjectURL(pictures.get(id) ?? "");
    pictures.delete(id);
    draw();
    choose(BUNDLED);
    say(t("erased", {name}));
    focusFirst(cards, ":checked");
  }

  load();
  return element;
}

/**
 * Make the form that keeps a picture or a clip as a face, and the button that shows it.
 * @param {object} options
 * @param {Limits} options.limits
 * @param {AbortSignal} options.signal
 * @param {(avatar: Avatar) => void} options.onAdded
 */
function addForm({limits, signal, onAdded}) {
  const {max_bytes: maxBytes, max_clip_seconds: seconds} = limits.avatars;
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const name = h("input", {type: "text", maxlength: "100", autocomplete: "off"});
  const status = h("p", {class: "hint", role: "status", hidden: true});
  const bar = h("progress", {max: "1", hidden: true, "aria-label": t("looking")});
  const save = h("button", {type: "submit"}, t("save"));
  const stop = h("button", {type: "button", class: "quiet", hidden: true, on: {click: () => sending?.abort()}},
    icon("close"), t("stop"));
  const label = h("span", {}, t("add"));
  /** @type {AbortController|null} */
  let sending = null;
  /** @type {string|null} */
  let shown = null;
  let suggested = "";
  signal.addEventListener("abort", () => {
    sending?.abort();
    release();
  }, {once: true});

  const given = soundInput({
    limits, signal, accept: ACCEPT, maxBytes, record: false, title: t("drop"), preview,
    kinds: t("kinds", {seconds: duration(seconds), size: bytes(maxBytes)}), onProblem: tell,
    onFile: (file) => {
      if (!file) release();
      else if ([suggested, ""].includes(name.value.trim())) {
        suggested = file.name.replace(/\.[^.]*$/, "").slice(0, 100).trim();
        name.value = suggested;
      }
    },
  });
  const form = h("form", {class: "stack avatar-add", hidden: true, id: uniqueId("add"), on: {submit: (event) => {
    event.preventDefault();
    send();
  }}}, given, h("label", {class: "field"}, h("span", {}, t("name")), name), h("p", {class: "hint"}, t("consent")),
    fault, bar, status, h("div", {class: "row"}, save, stop));
  const opener = h("button", {type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": form.id, on: {
    click: () => show(Boolean(form.hidden)),
  }}, icon("upload"), label);

  /** @param {boolean} is */
  function show(is) {
    form.hidden = !is;
    opener.setAttribute("aria-expanded", String(is));
    fill(label, t(is ? "hide" : "add"));
    opener.firstChild?.replaceWith(icon(is ? "close" : "upload"));
    if (!is) sending?.abort();
  }

  function release() {
    if (shown) URL.revokeObjectURL(shown);
    shown = null;
  }

  /** @param {File} file */
  function preview(file) {
    release();
    shown = URL.createObjectURL(file);
    const element = file.type.startsWith("video/")
      ? h("video", {src: shown, controls: true, muted: true, playsinline: true, "aria-label": t("preview")})
      : h("img", {src: shown, alt: t("preview")});
    element.classList.add("avatar-preview");
    // What the browser can't show the service may still read.
    element.addEventListener("error", () => { element.hidden = true; });
    return element;
  }

  /** @param {string|null} sentence */
  function tell(sentence) {
    fault.hidden = !sentence;
    fill(fault, sentence ?? "");
  }

  /** @param {number} share */
  function progress(share) {
    if (share < 1) bar.value = share;
    else bar.removeAttribute("value");
    fill(status, share < 1 ? t("sending", {share: percent(share)}) : t("looking"));
  }

  /** @param {boolean} is */
  function busy(is) {
    bar.hidden = status.hidden = stop.hidden = !is;
    save.disabled = is;
    form.setAttribute("aria-busy", String(is));
  }

  async function send() {
    if (sending) return;
    tell("");
    if (!given.file) {
      tell(t("no_file"));
      return;
    }
    if (!name.value.trim()) {
      tell(t("no_name"));
      name.focus();
      return;
    }
    const mine = sending = new AbortController();
    busy(true);
    progress(0);
    try {
      /** @type {Avatar} */
      const avatar = await upload("v1/avatars", {name: name.value.trim()}, given.file, {
        onProgress: progress, signal: mine.signal,
      });
      name.value = "";
      given.clear();
      show(false);
      onAdded(avatar);
    } catch (error) {
      if (!signal.aborted) tell(sentenceOf(error));
    } finally {
      sending = null;
      busy(false);
    }
  }

  return {form, opener};
}
