/**
 * One job in the list: its name, its state, and what can be done with it.
 * @import {Child, IconName, Job} from "../lib/types.js"
 */

import {ask, askJson, hasStatus, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {moment, percent, translations} from "../lib/i18n.js";
import {jobHash, KINDS, kindName} from "../lib/job-kinds.js";
import {cancelJob, isActive} from "../lib/jobs.js";
import {badge, facts, jobName, reasonOf, stateName} from "./summary.js";

const t = translations({
  en: {
    copy: "Copy the link to {name}", copied: "Link copied", by_hand: "Copy this link:", cancel: "Cancel {name}",
    retry: "Try {name} again",
    remove: "Delete {name}", ask: "Delete it for good, with its recording and results?", yes: "Delete", no: "Keep",
    progress: "Progress of {name}", cancelled: "Cancelled: {name}", again: "Accepted again: {name}",
    gone: "Deleted: {name}",
    dismiss: "Dismiss",
  },
  ru: {
    copy: "Скопировать ссылку: {name}", copied: "Ссылка скопирована", by_hand: "Скопируйте эту ссылку:",
    cancel: "Отменить: {name}",
    retry: "Повторить: {name}", remove: "Удалить: {name}", ask: "Удалить навсегда, вместе с записью и результатами?",
    yes: "Удалить", no: "Оставить",
    progress: "Ход работы: {name}", cancelled: "Отменено: {name}", again: "Принято снова: {name}",
    gone: "Удалено: {name}",
    dismiss: "Закрыть",
  },
});

/**
 * @typedef {{element: HTMLElement, readonly job: Job, update: (job: Job) => void}} Row
 */

/**
 * Make a row.
 * @param {Job} job
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {() => void} options.onChange it was cancelled or retried
 * @param {(row: Row) => void} options.onGone it no longer exists
 * @param {(sentence: string) => void} options.announce for screen readers
 * @param {() => void} options.onOpen it is about to be left for the job's own page
 * @returns {Row}
 */
export function historyRow(job, {signal, onChange, onGone, announce, onOpen}) {
  const name = jobName(job);
  const hash = jobHash(job);
  const more = h("p", {class: "history-facts hint"});
  const state = h("div", {class: "history-state"});
  const actions = h("div", {class: "history-actions"});
  const below = h("div", {class: "history-below", hidden: true});
  const why = h("p", {class: "history-why", hidden: true});
  const element = h("li", {class: "history-item", data: {id: job.id}},
    h("span", {class: "history-kind"}, icon(KINDS[job.kind]?.icon ?? "history")),
    h("div", {class: "history-what"},
      hash ? h("a", {class: "history-name", href: hash, title: name, on: {click: onOpen}}, name)
        : h("span", {class: "history-name", title: name}, name),
      more, why),
    state, actions, below);

  const bar = h("progress", {max: "1", "aria-label": t("progress", {name})});
  const share = h("span", {class: "numbers"});
  const working = h("div", {class: "history-working"},
    h("span", {class: "row spread"}, h("span", {}, stateName("running")), share), bar);

  /**
   * @param {IconName} symbol
   * @param {"copy"|"cancel"|"retry"|"remove"} words
   * @param {(button: HTMLButtonElement) => void} run
   * @param {string} [look] a class
   */
  const action = (symbol, words, run, look = "") => {
    const label = t(words, {name});
    /** @type {HTMLButtonElement} */
    const button = h("button", {type: "button", class: `quiet icon-only ${look}`, "aria-label": label, title: label,
      data: {action: words}, on: {click: () => run(button)}}, icon(symbol));
    return button;
  };
  const buttons = {
    copy: hash ? action("link", "copy", (button) => copyLink(button, new URL(hash, location.href).href)) : null,
    cancel: action("close", "cancel", cancel),
    retry: action("retry", "retry", retry),
    remove: action("trash", "remove", askToRemove, "danger"),
  };
  /** @type {Job|null} */
  let current = null;
  const row = {
    element, update,
    get job() { return current ?? job; },
  };

  /** @param {Job} now */
  function update(now) {
    const before = current;
    current = now;
    if (now.state === "running") {
      bar.value = now.progress;
      fill(share, percent(now.progress));
    }
    const seen = (/** @type {Job} */ of) => JSON.stringify([of.state, of.queue_position, of.finished_at, of.expires_at]);
    if (before && seen(before) === seen(now)) return;
    const known = [kindName(now.kind), h("time", {datetime: now.created_at}, moment(now.created_at)), ...facts(now)];
    fill(more, known.map((fact, i) => [i ? " · " : "", h("span", {}, fact)]));
    fill(state, now.state === "running" ? working : badge(now));
    const reason = reasonOf(now);
    fill(why, reason);
    why.hidden = !reason;
    if (before?.state === now.state) return;
    const focused = actions.contains(document.activeElement);
    const retriable = now.supported && ["failed", "cancelled"].includes(now.state);
    const ended = retriable ? [buttons.retry, buttons.remove] : [buttons.remove];
    const offered = isActive(now) ? [buttons.cancel] : ended;
    fill(actions, buttons.copy, offered);
    if (focused && !actions.contains(document.activeElement)) offered.at(-1)?.focus();
    if (before) close();
  }

  /** @param {...Child} children */
  function show(...children) {
    fill(below, children);
    below.hidden = false;
  }

  function close() {
    const focused = below.contains(document.activeElement);
    fill(below);
    below.hidden = true;
    if (focused && actions.lastChild instanceof HTMLElement) actions.lastChild.focus();
  }

  /** @param {unknown} error */
  function complain(error) {
    const sentence = sentenceOf(error);
    if (!sentence) return;
    show(h("div", {class: "fault row spread"}, h("p", {role: "alert"}, sentence),
      h("button", {type: "button", class: "quiet small", on: {click: close}}, t("dismiss"))));
  }

  /**
   * Ask the API for something, unless that is being done already.
   * @param {HTMLButtonElement} button
   * @param {() => Promise<void>} work
   */
  async function attempt(button, work) {
    if (button.ariaDisabled === "true") return;
    // Not `disabled`, which would take the keyboard away from it.
    button.ariaDisabled = "true";
    try {
      await work();
    } catch (error) {
      if (hasStatus(error, 404) && button !== buttons.retry) onGone(row);
      else complain(error);
    } finally {
      button.ariaDisabled = null;
    }
  }

  /** @param {HTMLButtonElement} button */
  function cancel(button) {
    return attempt(button, async () => {
      const after = await cancelJob(job.id, signal);
      update(after);
      if (after.state === "cancelled") announce(t("cancelled", {name}));
      onChange();
    });
  }

  /** @param {HTMLButtonElement} button */
  function retry(button) {
    return attempt(button, async () => {
      update(await askJson(`v1/jobs/${job.id}/retry`, {method: "POST", signal}));
      announce(t("again", {name}));
      onChange();
    });
  }

  /**
   * @param {HTMLButtonElement} button
   * @param {string} link
   */
  async function copyLink(button, link) {
    try {
      await navigator.clipboard.writeText(link);
      announce(t("copied"));
      const label = button.getAttribute("aria-label") ?? "";
      fill(button, icon("check"));
      button.title = t("copied");
      setTimeout(() => {
        fill(button, icon("link"));
        button.title = label;
      }, 2000);
    } catch {
      // Browsers give the clipboard to secure pages only.
      const field = h("input", {type: "text", readonly: true, value: link});
      show(h("label", {class: "field"}, h("span", {}, t("by_hand")), field),
        h("button", {type: "button", class: "quiet small", on: {click: close}}, t("dismiss")));
      field.select();
    }
  }

  function askToRemove() {
    const keep = h("button", {type: "button", class: "quiet", on: {click: close}}, t("no"));
    /** @type {HTMLButtonElement} */
    const yes = h("button", {type: "button", class: "danger quiet", on: {click: () => attempt(yes, async () => {
      await ask(`v1/jobs/${job.id}`, {method: "DELETE", signal});
      onGone(row);
      announce(t("gone", {name}));
    })}}, icon("trash"), t("yes"));
    const question = h("div", {class: "history-ask", role: "group", "aria-label": t("remove", {name}), on: {
      keydown: (event) => { if (event.key === "Escape") close(); },
    }}, h("p", {}, t("ask")), h("div", {class: "row"}, yes, keep));
    show(question);
    keep.focus();
  }

  update(job);
  return row;
}
