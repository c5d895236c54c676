/**
 * The frame: language, sign-in, navigation; sections are loaded when they are first seen.
 * @import {Locale, Me, Place, RoleName} from "./lib/types.js"
 * @typedef {"voice"|"transcript"|"translate"|"assistant"|"avatar"|"history"|"system"} SectionName
 */

import {askJson, dropKey, forgetKey, key, sentenceOf, setKey} from "./lib/api.js";
import {fill, focusFirst, h, icon, loadStyle} from "./lib/dom.js";
import {engineLine} from "./lib/engines.js";
import {locale, LOCALES, setLocale, translations} from "./lib/i18n.js";
import {problemSentence} from "./lib/problems.js";
import {failure} from "./lib/try-again.js";

const t = translations({
  en: {
    sections: "Sections", skip: "Skip to the content", language: "Language", sign_out: "Sign out", loading: "Loading…",
    voice: "Voice check", transcript: "Transcript", translate: "Translate", assistant: "Assistant", avatar: "Avatar",
    history: "History", system: "System", sign_in: "Sign in", api_key: "API key", show_key: "Show the key",
    lead: "Transcripts, voice checks, translation, conversation and talking avatars.",
    key_hint: "make run prints it; an operator makes more. It is kept for this tab only.",
    reference: "API reference", checking: "Checking the key…", main: "Content",
  },
  ru: {
    sections: "Разделы", skip: "К содержанию", language: "Язык", sign_out: "Выйти", loading: "Загрузка…",
    voice: "Проверка голоса", transcript: "Расшифровка", translate: "Перевод", assistant: "Ассистент", avatar: "Аватар",
    history: "История", system: "Система", sign_in: "Войти", api_key: "Ключ API", show_key: "Показать ключ",
    lead: "Расшифровка, проверка голоса, перевод, беседа и говорящие аватары.",
    key_hint: "Его печатает make run; другие выдаёт администратор. Он хранится только в этой вкладке.",
    reference: "Справочник API", checking: "Проверка ключа…", main: "Содержание",
  },
});

/**
 * Address and name of each section, and the roles whose engines answer in it, the one that matters most first; its module and
 * its style sheet are ID/page.js and ID/style.css.
 * @type {ReadonlyArray<{id: string, name: SectionName, engines: RoleName[]}>}
 */
const SECTIONS = [
  {id: "voice-check", name: "voice", engines: ["spoof", "diarization"]},
  {id: "transcript", name: "transcript", engines: ["asr", "diarization", "spoof"]},
  {id: "translate", name: "translate", engines: ["translation", "asr", "speech"]},
  {id: "assistant", name: "assistant", engines: ["chat", "asr", "speech"]},
  {id: "avatar", name: "avatar", engines: ["lipsync", "speech"]},
  {id: "history", name: "history", engines: []},
  {id: "system", name: "system", engines: ["asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync", "chat"]},
];

/** @type {Me|null} */
let owner = null;
/** @type {{abort: AbortController, content: HTMLElement, section: string}|null} */
let shown = null;

function takeKeyFromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  setKey(given);
  owner = null;
  history.replaceState(null, "", location.pathname + location.search);
}

/** Return the parts of `#/transcript/ID?x=y`. */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [id, ...params] = path.split("/").map(decodeURIComponent);
  const section = SECTIONS.find((one) => one.id === id) ?? SECTIONS[0];
  return {section, params: section.id === id ? params : [], query: new URLSearchParams(query)};
}

/**
 * Put a section's parameters into the address, as a link to share, without leaving what is shown.
 * @param {string} section
 * @param {...string} params
 */
function showInAddress(section, ...params) {
  const hash = `#/${[section, ...params].map(encodeURIComponent).join("/")}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
}

function header() {
  const language = h("select", {"aria-label": t("language"), class: "language", on: {
    change: () => {
      const typed = areas().map((area) => area.value);
      setLocale(/** @type {Locale} */ (language.value));
      const drawn = draw();
      focusFirst(document, ".language");
      drawn.then(() => typeAgain(typed));
    },
  }}, Object.entries(LOCALES).map(([id, name]) => h("option", {value: id, lang: id, selected: id === locale()}, name)));
  language.value = locale();
  return h("header", {class: "top"},
    h("a", {class: "brand", href: "#/"}, mark(), h("span", {}, "VoiceGraph")),
    h("div", {class: "top-controls"}, language,
      key() ? h("button", {type: "button", class: "quiet", on: {click: () => forgetKey()}}, t("sign_out")) : null));
}

/**
 * Return the fields in which a person may be writing.
 * @returns {HTMLTextAreaElement[]}
 */
const areas = () => [...document.querySelectorAll("textarea")].filter((area) => area.matches("main *:not([readonly])"));

/**
 * Put back what was written before everything was drawn anew.
 * @param {string[]} texts
 */
function typeAgain(texts) {
  const now = areas();
  if (now.length !== texts.length) return;
  now.forEach((area, i) => {
    if (!texts[i] || area.value) return;
    area.value = texts[i];
    area.dispatchEvent(new Event("input", {bubbles: true}));
  });
}

function mark() {
  return h("svg:svg", {viewBox: "0 0 32 32", class: "mark", "aria-hidden": "true", focusable: "false"},
    h("svg:rect", {width: "32", height: "32", rx: "8"}), h("svg:path", {d: "M7 14v4M13 9v14M19 12v8M25 14v4"}));
}

/** @param {string} current id of a section */
function navigation(current) {
  return h("nav", {class: "sections", "aria-label": t("sections")}, h("ul", {}, SECTIONS.map(({id, name}) =>
    h("li", {}, h("a", {href: `#/${id}`, "aria-current": id === current ? "page" : null}, icon(name), h("span", {}, t(name)))))));
}

/** Draw everything anew: at the start, after sign-in and sign-out, and in another language; resolves when it is there. */
async function draw(reason = "") {
  leave();
  document.documentElement.lang = locale();
  const content = h("main", {id: "content", tabindex: "-1"});
  const skip = h("a", {class: "skip", href: "#content", on: {click: (event) => {
    event.preventDefault();
    content.focus();
  }}}, t("skip"));
  if (!key()) {
    fill(document.body, skip, header(), content);
    signIn(content, reason);
    return;
  }
  const aside = navigation(route().section.id);
  fill(document.body, skip, header(), h("div", {class: "frame"}, aside, content));
  await show(content);
}

function leave() {
  shown?.abort.abort();
  shown = null;
}

/** @param {HTMLElement} content */
async function show(content, focus = false) {
  leave();
  const {section, params, query} = route();
  const abort = new AbortController();
  shown = {abort, content, section: section.id};
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("nav.sections a"));
  for (const link of links) {
    const is = link.getAttribute("href") === `#/${section.id}`;
    if (is) {
      link.setAttribute("aria-current", "page");
      scrollIntoRow(link);
    } else link.removeAttribute("aria-current");
  }
  const heading = h("h1", {tabindex: "-1"}, t(section.name));
  document.title = `${t(section.name)} · VoiceGraph`;
  const body = h("div", {class: "section", "data-section": section.id}, h("p", {class: "hint", role: "status"}, t("loading")));
  fill(content, h("div", {class: "section-head"}, heading, section.engines.length ? engineLine(section.engines, abort.signal) : null), body);
  if (focus) heading.focus();
  try {
    const [{mount}, known] = await Promise.all([
      import(`./${section.id}/page.js`),
      whoAmI(abort.signal),
      loadStyle(new URL(`${section.id}/style.css`, import.meta.url).href),
    ]);
    if (abort.signal.aborted) return;
    fill(body);
    /** @type {Place} */
    const place = {
      owner: known, params, query, heading, signal: abort.signal,
      showInAddress: (...rest) => { if (!abort.signal.aborted) showInAddress(section.id, ...rest); },
    };
    await mount(body, place);
    if (!abort.signal.aborted) body.dataset.ready = "true";
  } catch (error) {
    if (abort.signal.aborted) return;
    const sentence = error instanceof TypeError && /import|module/i.test(error.message)
      ? problemSentence("network") : sentenceOf(error);
    fill(body, failure(sentence, () => show(content)));
  }
}

/**
 * Scroll the navigation, a row on narrow screens, to a link; only the row may scroll for this, not the page.
 * @param {HTMLAnchorElement} link
 */
function scrollIntoRow(link) {
  const row = link.closest("ul");
  if (row) row.scrollLeft = Math.max(0, link.offsetLeft - row.clientWidth / 2 + link.offsetWidth / 2);
}

/** @param {AbortSignal} [signal] */
async function whoAmI(signal) {
  owner ??= await askJson("v1/me", {signal});
  return owner;
}

/**
 * @param {HTMLElement} content
 * @param {string} reason why the key was dropped, or ""
 */
function signIn(content, reason) {
  document.title = `${t("sign_in")} · VoiceGraph`;
  // Password managers file a key under a name.
  const name = h("input", {type: "text", autocomplete: "username", value: "VoiceGraph", hidden: true, readonly: true});
  const field = h("input", {
    type: "password", id: "key", autocomplete: "current-password", spellcheck: "false", maxlength: "200", required: true,
    "aria-describedby": "key-hint",
  });
  const showKey = h("input", {type: "checkbox", on: {change: () => { field.type = showKey.checked ? "text" : "password"; }}});
  const fault = h("p", {class: "fault", role: "alert", hidden: !reason}, reason);
  const button = h("button", {type: "submit"}, t("sign_in"));
  const form = h("form", {class: "card sign-in", on: {submit: async (event) => {
    event.preventDefault();
    fault.hidden = true;
    const typed = field.value.trim();
    if (!typed) {
      fault.hidden = false;
      fill(fault, problemSentence("missing_key"));
      field.focus();
      return;
    }
    button.disabled = true;
    fill(button, t("checking"));
    setKey(typed);
    try {
      owner = null;
      await whoAmI();
      draw();
      focusFirst(document, "h1");
    } catch (error) {
      button.disabled = false;
      fill(button, t("sign_in"));
      // A refused key has drawn this form anew, with the reason.
      if (form.isConnected) {
        dropKey();
        fault.hidden = false;
        fill(fault, sentenceOf(error));
      }
    }
  }}},
    h("h1", {tabindex: "-1"}, "VoiceGraph"), h("p", {}, t("lead")),
    name, h("label", {for: "key"}, t("api_key")), field,
    h("label", {class: "choice"}, showKey, h("span", {}, t("show_key"))),
    h("p", {class: "hint", id: "key-hint"}, t("key_hint")), fault, button);
  fill(content, form);
  field.focus();
}

addEventListener("signed-out", (event) => {
  owner = null;
  draw(event.detail);
});

addEventListener("hashchange", () => {
  const hadKey = key();
  takeKeyFromAddress();
  if (!shown || hadKey !== key()) draw();
  else show(shown.content, true);
});

takeKeyFromAddress();
draw();
