/** What waits and is in work, of all owners, by kind. */

import {fill, h} from "../lib/dom.js";
import {duration, translations} from "../lib/i18n.js";
import {kindName} from "../lib/job-kinds.js";

const t = translations({
  en: {
    title: "Queue", kind: "Kind", waiting: "Waiting", running: "In work", sound: "Sound to go", oldest: "Longest wait",
    empty: "No job has been given to this service yet.", idle: "Nothing waits and nothing is in work.",
    kept: "Done and kept", failed: "Failed",
    all: "Jobs of all keys are counted.",
  },
  ru: {
    title: "Очередь", kind: "Вид", waiting: "Ждут", running: "В работе", sound: "Осталось звука",
    oldest: "Дольше всех ждёт",
    empty: "Этому сервису ещё не давали заданий.", idle: "Ничего не ждёт и не выполняется.", kept: "Готово и хранится",
    failed: "Не удалось",
    all: "Считаются задания всех ключей.",
  },
});

/** Make it; `update(queue)` shows what GET /v1/system tells. */
export function systemQueue() {
  const body = h("tbody");
  const columns = /** @type {const} */ (["kind", "waiting", "running", "sound", "oldest", "kept", "failed"]);
  const head = columns.map((name, i) => h("th", {scope: "col", class: i ? "number" : null}, t(name)));
  const table = h("div", {class: "scroll", tabindex: "0", role: "region", "aria-label": t("title")},
    h("table", {}, h("thead", {}, h("tr", {}, head)), body));
  const summary = h("p", {});
  const element = h("section", {class: "card system-queue"},
    h("h2", {}, t("title")), summary, table, h("p", {class: "hint"}, t("all")));

  /** @param {import("../lib/types.js").QueueState[]} queue */
  function update(queue) {
    table.hidden = queue.length === 0;
    const idle = queue.every((row) => row.queued + row.running === 0);
    fill(summary, queue.length === 0 ? t("empty") : idle ? t("idle") : "");
    summary.hidden = !summary.textContent;
    const number = (/** @type {string|number} */ value) => h("td", {class: "number"}, value);
    const time = (/** @type {number|null} */ seconds) => seconds ? duration(seconds < 60 ? Math.round(seconds) : seconds) : "–";
    fill(body, queue.map((row) => h("tr", {data: {kind: row.kind}},
      h("th", {scope: "row"}, kindName(row.kind)), number(row.queued), number(row.running),
      number(time(row.queued_audio_seconds + row.running_audio_seconds)), number(time(row.oldest_queued_seconds)),
      number(row.succeeded), number(row.failed))));
  }

  return {element, update};
}
