/** One job in the list: what it is, where it stands, and what can be done with it. */

import {ask, askJson, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {moment, percent, speaker} from "../lib/i18n.js";
import {cancelJob, isActive} from "../lib/jobs.js";
import {badge, facts, failure, jobHash, jobName, KINDS, kindName, stateName} from "./short.js";

const t = speaker({
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
 * Make a row.
 * @param {object} job of the API
 * @param {object} options `signal`; `onChange(row)`: it was cancelled or retried; `onGone(row)`: it is no longer there;
 *   `announce(sentence)` for screen readers; `onOpen()`: it is about to be left for the job's own page
 * @returns {HTMLElement & {job: object, update: (job: object) => void}}
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

  const action = (symbol, words, run, look = "") => {
    const label = t(words, {name});
    const button = h("button", {type: "button", class: `quiet icon-only ${look}`, "aria-label": label, title: label,
      data: {action: words}, on: {click: () => run(button)}}, icon(symbol));
    return button;
  };
  const buttons = {
    copy: hash && action("link", "copy", copyLink),
    cancel: action("close", "cancel", cancel),
    retry: action("retry", "retry", retry),
    remove: action("trash", "remove", askToRemove, "danger"),
  };

  element.update = (now) => {
    const before = element.job;
    element.job = now;
    if (now.state === "running") {
      bar.value = now.progress;
      fill(share, percent(now.progress));
    }
    const seen = (of) => JSON.stringify([of.state, of.queue_position, of.finished_at, of.expires_at]);
    if (before && seen(before) === seen(now)) return;
    const known = [kindName(now.kind), h("time", {datetime: now.created_at}, moment(now.created_at)), ...facts(now)];
    fill(more, known.map((fact, i) => [i ? " · " : "", h("span", {}, fact)]));
    fill(state, now.state === "running" ? working : badge(now));
    fill(why, failure(now));
    why.hidden = !failure(now);
    if (before?.state === now.state) return;
    const focused = actions.contains(document.activeElement);
    const offered = [buttons.copy, ...(isActive(now) ? [buttons.cancel]
      : [now.supported !== false && ["failed", "cancelled"].includes(now.state) && buttons.retry, buttons.remove])].filter(Boolean);
    fill(actions, offered);
    if (focused && !actions.contains(document.activeElement)) offered.at(-1).focus();
    if (before) close();
  };

  function show(...children) {
    fill(below, children);
    below.hidden = false;
  }

  function close() {
    const focused = below.contains(document.activeElement);
    fill(below);
    below.hidden = true;
    if (focused) actions.lastChild.focus();
  }

  function complain(error) {
    const sentence = sentenceOf(error);
    if (!sentence) return;
    show(h("div", {class: "fault row spread"}, h("p", {role: "alert"}, sentence),
      h("button", {type: "button", class: "quiet small", on: {click: close}}, t("dismiss"))));
  }

  /** Ask the API for something once, whatever happens. */
  async function attempt(button, work) {
    if (button.ariaDisabled === "true") return;
    // Not `disabled`, which would take the keyboard away from it.
    button.ariaDisabled = "true";
    try {
      await work();
    } catch (error) {
      if (error.status === 404 && button !== buttons.retry) onGone(element);
      else complain(error);
    } finally {
      button.ariaDisabled = null;
    }
  }

  function cancel(button) {
    return attempt(button, async () => {
      const after = await cancelJob(job.id, signal);
      element.update(after);
      if (after.state === "cancelled") announce(t("cancelled", {name}));
      onChange(element);
    });
  }

  function retry(button) {
    return attempt(button, async () => {
      element.update(await askJson(`v1/jobs/${job.id}/retry`, {method: "POST", signal}));
      announce(t("again", {name}));
      onChange(element);
    });
  }

  async function copyLink(button) {
    const link = new URL(hash, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      announce(t("copied"));
      const label = button.getAttribute("aria-label");
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
    const yes = h("button", {type: "button", class: "danger quiet", on: {click: () => attempt(yes, async () => {
      await ask(`v1/jobs/${job.id}`, {method: "DELETE", signal});
      onGone(element);
      announce(t("gone", {name}));
    })}}, icon("trash"), t("yes"));
    const question = h("div", {class: "history-ask", role: "group", "aria-label": t("remove", {name}), on: {
      keydown: (event) => { if (event.key === "Escape") close(); },
    }}, h("p", {}, t("ask")), h("div", {class: "row"}, yes, keep));
    show(question);
    keep.focus();
  }

  element.update(job);
  return element;
}
