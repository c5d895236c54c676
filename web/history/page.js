/**
 * All jobs of the owner: to be found, opened, shared, cancelled, tried again and deleted.
 * @import {Job, JobPage, Place} from "../lib/types.js"
 */

import {askJson, hasStatus, sentenceOf} from "../lib/api.js";
import {fill, focusFirst, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";
import {KINDS, kindName} from "../lib/job-kinds.js";
import {isActive} from "../lib/jobs.js";
import {failure} from "../lib/try-again.js";
import {clearEnded} from "./clear.js";
import {historyRow} from "./row.js";
import {STATES, stateName} from "./summary.js";

const t = translations({
  en: {
    search: "Search in file names, texts and options", kind: "Kind", any_kind: "All kinds", state: "State",
    any_state: "All states",
    list: "Jobs", loading: "Loading…", more: "Show more",
    stale: "The server cannot be reached; this is how things stood before. The page goes on trying.",
    shown: {one: "{n} job", other: "{n} jobs"}, newest: "The newest {n}",
    empty: "Nothing has been made yet. What you make is kept here, until you delete it or its time is over. Begin " +
      "with one of these:",
    nothing: "Nothing matches what you searched for.", all: "Show everything",
    kept: {
      one: "What has ended is deleted by itself after {n} day.",
      other: "What has ended is deleted by itself after {n} days.",
    },
    check: "Check a voice", transcribe: "Transcribe a recording", translate: "Translate", film: "Film an avatar",
  },
  ru: {
    search: "Поиск в именах файлов, текстах и настройках", kind: "Вид", any_kind: "Все виды", state: "Состояние",
    any_state: "Все состояния",
    list: "Задания", loading: "Загрузка…", more: "Показать ещё",
    stale: "Сервер недоступен; так было раньше. Страница пробует дальше.",
    shown: {one: "{n} задание", few: "{n} задания", many: "{n} заданий", other: "{n} задания"},
    newest: "Самые новые: {n}",
    empty: "Здесь пока пусто. Всё, что вы сделаете, хранится тут, пока вы это не удалите или не истечёт срок. " +
      "Начните с чего-нибудь:",
    nothing: "По этому запросу ничего не нашлось.", all: "Показать всё",
    kept: {one: "Завершённое удаляется само через {n} день.", few: "Завершённое удаляется само через {n} дня.",
      many: "Завершённое удаляется само через {n} дней.", other: "Завершённое удаляется само через {n} дня."},
    check: "Проверить голос", transcribe: "Расшифровать запись", translate: "Перевести", film: "Снять аватара",
  },
});

const PAGE = 20;
const MOST = 100;
const POLL_S = 3;
const LONGEST_POLL_S = 30;
const DEBOUNCE_MS = 300;
const MISSING_AT_ONCE = 5;
const DAY_MS = 86_400_000;
const BEGINNINGS = /** @type {const} */ ([
  ["voice-check", "voice", "check"], ["transcript", "transcript", "transcribe"],
  ["translate", "translate", "translate"], ["avatar", "avatar", "film"],
]);

/** @typedef {ReturnType<typeof historyRow>} Row */

/**
 * Show the section.
 * @param {HTMLElement} root
 * @param {Place} place
 */
export async function mount(root, {query, signal}) {
  const words = h("input", {type: "search", maxlength: "200", "aria-label": t("search"), placeholder: t("search"),
    value: query.get("query") ?? "", on: {input: soon}});
  const kind = choice("any_kind", "kind", Object.keys(KINDS), kindName, query.get("kind"));
  const state = choice("any_state", "state", STATES, stateName, query.get("state"));
  const form = h("form", {class: "history-filter", role: "search", on: {submit: (event) => {
    event.preventDefault();
    apply();
  }}}, h("span", {class: "history-search"}, icon("search"), words), kind, state);
  const filter = () => ({query: words.value.trim(), kind: kind.value, state: state.value});
  const count = h("p", {class: "hint", role: "status"});
  const spoken = h("p", {class: "visually-hidden", role: "status"});
  const clear = clearEnded({filter, signal, onGone: (id) => {
    const row = rows.get(id);
    if (row) remove(row);
  }});
  const stale = h("p", {class: "notice", role: "status", hidden: true}, t("stale"));
  const list = h("ul", {class: "history-list", "aria-label": t("list")});
  const message = h("div", {class: "card history-message", hidden: true});
  const more = h("button", {type: "button", class: "quiet history-more", on: {click: showMore}}, t("more"));
  const kept = h("p", {class: "hint"});
  fill(root, form, h("div", {class: "row spread"}, count, clear), clear.panel, spoken, stale, list, message, more, kept);
  list.hidden = more.hidden = clear.hidden = true;

  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {string|null} */
  let cursor = null;
  /** @type {AbortController|null} */
  let loading = null;
  let [waiting, poll, failures] = [0, 0, 0];
  document.addEventListener("visibilitychange", look, {signal});
  signal.addEventListener("abort", () => {
    loading?.abort();
    clearTimeout(waiting);
    clearTimeout(poll);
  }, {once: true});

  /**
   * @template {string} Value
   * @param {"any_kind"|"any_state"} any
   * @param {"kind"|"state"} label
   * @param {readonly Value[]} values
   * @param {(value: Value) => string} nameOf
   * @param {string|null} chosen
   */
  function choice(any, label, values, nameOf, chosen) {
    const select = h("select", {"aria-label": t(label), on: {change: apply}},
      h("option", {value: ""}, t(any)), values.map((value) => h("option", {value}, nameOf(value))));
    select.value = values.find((value) => value === chosen) ?? "";
    return select;
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(apply, DEBOUNCE_MS);
  }

  const asked = (/** @type {Record<string, string>} */ extra) => {
    const params = new URLSearchParams(extra);
    for (const [name, value] of Object.entries(filter())) if (value) params.set(name, value);
    return params;
  };

  /** Search anew, with what is searched for in the address. */
  function apply() {
    clearTimeout(waiting);
    const hash = `#/history${asked({}).size ? `?${asked({})}` : ""}`;
    if (hash === location.hash && !loading) return;
    history.replaceState(null, "", hash);
    load(PAGE);
  }

  /** @param {number} limit */
  async function load(limit) {
    loading?.abort();
    clearTimeout(poll);
    const mine = loading = new AbortController();
    list.setAttribute("aria-busy", "true");
    fill(count, t("loading"));
    message.hidden = true;
    try {
      const page = await askJson(`v1/jobs?${asked({limit: String(limit)})}`, {signal: mine.signal});
      if (loading === mine) loading = null;
      for (const row of rows.values()) row.element.remove();
      rows.clear();
      ({next_cursor: cursor} = page);
      for (const job of page.jobs) put(job);
      failures = 0;
      show();
    } catch (error) {
      if (mine.signal.aborted) return;
      loading = null;
      fill(count);
      stale.hidden = clear.hidden = list.hidden = more.hidden = true;
      fill(message, failure(error, () => load(limit)));
      message.hidden = false;
    } finally {
      list.removeAttribute("aria-busy");
    }
  }

  async function showMore() {
    if (more.ariaDisabled === "true" || cursor === null) return;
    more.ariaDisabled = "true";
    const asking = loading;
    const before = [...rows.keys()];
    try {
      /** @type {JobPage} */
      const page = await askJson(`v1/jobs?${asked({limit: String(PAGE), cursor})}`, {signal});
      if (asking !== loading) return;
      cursor = page.next_cursor;
      for (const job of page.jobs) put(job);
      show();
      // The keyboard goes on where the new ones begin.
      const first = rows.get(page.jobs.find((job) => !before.includes(job.id))?.id ?? "");
      if (first) focusFirst(first.element, "a, button", {preventScroll: true});
      rememberPlace();
    } catch (error) {
      const sentence = sentenceOf(error);
      if (sentence) {
        fill(message, h("p", {class: "fault", role: "alert"}, sentence));
        message.hidden = false;
      }
    } finally {
      more.ariaDisabled = null;
    }
  }

  /**
   * Show a job where it belongs by its age; rows that are there stay where they are, and keep the focus.
   * @param {Job} job
   */
  function put(job) {
    const known = rows.get(job.id);
    if (known) {
      known.update(job);
      return;
    }
    const row = historyRow(job, {
      signal, announce: (sentence) => fill(spoken, sentence), onGone: remove, onOpen: rememberPlace,
      onChange: () => {
        failures = 0;
        show();
      },
    });
    const [next] = [...rows.values()].filter((other) => isOlder(other.job, job))
      .sort((one, other) => isOlder(one.job, other.job) ? 1 : -1);
    rows.set(job.id, row);
    list.insertBefore(row.element, next?.element ?? null);
  }

  /** @param {Row} row */
  function remove(row) {
    const focused = row.element.contains(document.activeElement);
    const beside = row.element.nextElementSibling ?? row.element.previousElementSibling;
    row.element.remove();
    rows.delete(row.job.id);
    show();
    if (focused) focusFirst(beside ?? message, "a, button");
  }

  /** Update what stands around the list. */
  function show() {
    const {size} = rows;
    const all = [...rows.values()];
    const narrowed = asked({}).size > 0;
    fill(count, size === 0 ? "" : t(cursor ? "newest" : "shown", {n: size}));
    list.hidden = size === 0;
    more.hidden = cursor === null;
    clear.hidden = !all.some((row) => !isActive(row.job));
    stale.hidden = failures === 0;
    message.hidden = size > 0;
    if (size === 0) fill(message, narrowed ? nothing() : empty());
    const [keptMs] = all.map(({job: {finished_at: from, expires_at: until}}) =>
      from && until ? Date.parse(until) - Date.parse(from) : 0).filter(Boolean);
    fill(kept, keptMs && t("kept", {n: Math.round(keptMs / DAY_MS)}));
    schedule();
  }

  function showAll() {
    words.value = kind.value = state.value = "";
    apply();
    words.focus();
  }

  const nothing = () => [h("p", {role: "status"}, t("nothing")),
    h("div", {}, h("button", {type: "button", class: "quiet", on: {click: showAll}}, t("all")))];

  const empty = () => [h("p", {}, t("empty")), h("div", {class: "row"},
    BEGINNINGS.map(([section, symbol, said]) =>
      h("a", {class: "button quiet", href: `#/${section}`}, icon(symbol), t(said))))];

  /** Reload the list after a while, as long as a job waits or runs and the page is visible. */
  function schedule() {
    clearTimeout(poll);
    if (signal.aborted || document.hidden || loading) return;
    if (failures === 0 && ![...rows.values()].some((row) => isActive(row.job))) return;
    poll = setTimeout(refresh, Math.min(POLL_S * 2 ** failures, LONGEST_POLL_S) * 1000);
  }

  function look() {
    if (!document.hidden && !loading) refresh();
  }

  async function refresh() {
    clearTimeout(poll);
    const asking = loading;
    const before = filter();
    try {
      const limit = Math.min(MOST, Math.max(PAGE, rows.size));
      const page = await askJson(`v1/jobs?${asked({limit: String(limit)})}`, {signal});
      if (asking !== loading || JSON.stringify(before) !== JSON.stringify(filter())) return;
      if (rows.size === 0) cursor = page.next_cursor;
      for (const job of page.jobs) put(job);
      await lookAfter(page);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      sentenceOf(error);
    }
    if (!loading) show();
  }

  /**
   * Ask for the jobs that the list no longer has: they were deleted elsewhere, or no longer match the filter.
   * @param {JobPage} page
   */
  async function lookAfter({jobs, next_cursor: rest}) {
    const listed = new Set(jobs.map((job) => job.id));
    const last = jobs.at(-1);
    const covered = (/** @type {Job} */ job) => rest === null || !last || !isOlder(job, last);
    const missing = [...rows.values()].filter(({job}) => !listed.has(job.id) && (covered(job) || isActive(job)));
    await Promise.all(missing.slice(0, MISSING_AT_ONCE).map(async (row) => {
      try {
        row.update(await askJson(`v1/jobs/${row.job.id}`, {signal}));
      } catch (error) {
        if (!hasStatus(error, 404)) throw error;
        if (rows.has(row.job.id)) remove(row);
      }
    }));
  }

  /** The browser's way back leads to the same place in the list. */
  function rememberPlace() {
    history.replaceState({shown: rows.size, scroll: scrollY}, "");
  }

  const place = history.state;
  const first = load(Math.min(MOST, Math.max(PAGE, place?.shown ?? 0)));
  if (place?.scroll) first.then(() => { if (!signal.aborted) scrollTo(0, place.scroll); });
}

/**
 * Tell whether `one` is listed after `other`.
 * @param {Job} one
 * @param {Job} other
 */
function isOlder(one, other) {
  const [a, b] = [one.created_at, other.created_at];
  return a === b ? one.id < other.id : a < b;
}
