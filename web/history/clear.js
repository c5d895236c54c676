/** Deletion of all jobs that have ended: confirmed in place, with progress, stopped at any time. */

import {ask, askJson, hasStatus, sentenceOf} from "../lib/api.js";
import {extend, fill, focusFirst, h, icon} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";

const t = translations({
  en: {
    clear: "Delete all that have ended",
    ask_all: "Delete everything that has ended, for good, with recordings and results? What waits or is in work stays.",
    ask_some: "Delete all that has ended among what you searched for, for good, with recordings and results? What " +
      "waits or is in work stays.",
    yes: "Delete all of it", no: "Keep", looking: "Looking for what has ended…", deleting: "Deleting: {n} of {of}",
    stop: "Stop", progress: "Progress of deleting",
    done: {one: "{n} deleted.", other: "{n} deleted."}, stopped: "Stopped; {n} of {of} deleted.",
    none: "There is nothing that has ended.", fine: "OK",
  },
  ru: {
    clear: "Удалить всё завершённое",
    ask_all: "Удалить навсегда всё завершённое, вместе с записями и результатами? Ожидающее и выполняемое останется.",
    ask_some: "Удалить навсегда всё завершённое из найденного, вместе с записями и результатами? Ожидающее и " +
      "выполняемое останется.",
    yes: "Удалить всё это", no: "Оставить", looking: "Поиск завершённого…", deleting: "Удаляется: {n} из {of}",
    stop: "Остановить", progress: "Ход удаления",
    done: {one: "Удалено: {n}.", other: "Удалено: {n}."}, stopped: "Остановлено; удалено {n} из {of}.",
    none: "Завершённого нет.", fine: "Понятно",
  },
});

const ENDED = ["succeeded", "failed", "cancelled"];
const AT_ONCE = 3;

/**
 * @typedef {{query: string, kind: string, state: string}} Filter of the list; "" for any
 */

/**
 * Make the button; its `panel` asks and shows the progress.
 * @param {object} options
 * @param {() => Filter} options.filter of what is shown
 * @param {(id: string) => void} options.onGone that job is deleted
 * @param {AbortSignal} options.signal
 */
export function clearEnded({filter, onGone, signal}) {
  const button = h("button", {type: "button", class: "quiet small", on: {click: question}}, icon("trash"), t("clear"));
  const said = h("p", {role: "status"});
  const bar = h("progress", {max: "1", "aria-label": t("progress"), hidden: true});
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const choice = h("div", {class: "row"});
  const panel = h("div", {class: "card history-clear", role: "group", "aria-label": t("clear"), hidden: true, on: {
    keydown: (event) => { if (event.key === "Escape" && !working) close(); },
  }}, said, bar, fault, choice);
  let working = false;

  function question() {
    const {query, kind, state} = filter();
    const keep = h("button", {type: "button", class: "quiet", on: {click: close}}, t("no"));
    fill(said, t(query || kind || state ? "ask_some" : "ask_all"));
    fill(choice, h("button", {type: "button", class: "quiet danger", on: {click: run}}, icon("trash"), t("yes")), keep);
    fault.hidden = bar.hidden = true;
    panel.hidden = false;
    keep.focus();
  }

  function close() {
    const focused = panel.contains(document.activeElement);
    panel.hidden = true;
    if (!focused) return;
    if (button.hidden) focusFirst(document, "h1");
    else button.focus();
  }

  async function run() {
    let [stopping, deleted] = [false, 0];
    /** @type {string[]} */
    let ids = [];
    /** @type {HTMLButtonElement} */
    const stop = h("button", {type: "button", class: "quiet", on: {click: () => {
      stopping = true;
      stop.disabled = true;
    }}}, icon("stop"), t("stop"));
    const count = () => ({n: deleted, of: ids.length});
    working = true;
    fill(choice, stop);
    stop.focus();
    bar.hidden = false;
    bar.removeAttribute("value");
    fill(said, t("looking"));

    // A deletion under way when it is stopped is completed, so that the number told is right.
    const next = async (/** @type {string[]} */ rest) => {
      for (let id = rest.shift(); id; id = stopping ? undefined : rest.shift()) {
        await remove(id, signal);
        deleted++;
        bar.value = deleted / ids.length;
        fill(said, t("deleting", count()));
        onGone(id);
      }
    };
    /** @type {unknown} */
    let problem = null;
    const fail = (/** @type {unknown} */ error) => {
      stopping = true;
      problem ??= error;
    };
    try {
      ids = await find(filter(), signal);
      const rest = [...ids];
      if (ids.length) fill(said, t("deleting", count()));
      await Promise.all(Array.from({length: AT_ONCE}, () => next(rest).catch(fail)));
    } catch (error) {
      fail(error);
    }
    if (signal.aborted) return;
    working = false;
    const focused = panel.contains(document.activeElement) || document.activeElement === document.body;
    const dismiss = h("button", {type: "button", class: "quiet", on: {click: close}}, icon("check"), t("fine"));
    bar.hidden = true;
    fault.hidden = !problem;
    fill(fault, problem ? sentenceOf(problem) : null);
    if (deleted < ids.length) fill(said, t("stopped", count()));
    else if (problem) fill(said);
    else fill(said, ids.length ? t("done", count()) : t("none"));
    fill(choice, dismiss);
    if (focused) dismiss.focus();
  }

  return extend(button, {panel});
}

/**
 * Return the ids of all ended jobs that a filter shows.
 * @param {Filter} filter
 * @param {AbortSignal} signal
 */
async function find({query, kind, state}, signal) {
  const ids = [];
  for (const one of ENDED.filter((ended) => !state || ended === state)) {
    /** @type {string|null} */
    let cursor = "";
    do {
      const asked = new URLSearchParams({
        state: one, limit: "100", ...query && {query}, ...kind && {kind}, ...cursor && {cursor},
      });
      /** @type {import("../lib/types.js").JobPage} */
      const page = await askJson(`v1/jobs?${asked}`, {signal});
      ids.push(...page.jobs.map((job) => job.id));
      cursor = page.next_cursor;
    } while (cursor);
  }
  return ids;
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function remove(id, signal) {
  try {
    await ask(`v1/jobs/${id}`, {method: "DELETE", signal});
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
}
