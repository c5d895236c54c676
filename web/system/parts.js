/**
 * The service's parts: the health and load of each, as rows that change in place.
 * @import {Application, Deployment, ReplicaCounts} from "../lib/types.js"
 * @typedef {Deployment | (Application & {replicas: null})} Part an application without deployments is shown as one
 */

import {fill, h, icon} from "../lib/dom.js";
import {decimal, translations} from "../lib/i18n.js";
import {remember, sparkline} from "./sparkline.js";
import {partName, statusLook, statusName} from "./words.js";

const t = translations({
  en: {
    title: "Parts of the service", replicas: {one: "{n} of {of} replica", other: "{n} of {of} replicas"},
    running: {one: "{n} replica", other: "{n} replicas"}, starting: "{n} starting", stopping: "{n} stopping",
    load: "{n} in work",
    queued: "{n} waiting", rate: "{rate} requests/s", peak: "at most {n} at once", unmeasured: "Load not measured yet",
    seen: "The lines show requests in work and waiting in the last three minutes, as far as this page was open.",
  },
  ru: {
    title: "Части сервиса",
    replicas: {
      one: "{n} реплика из {of}", few: "{n} реплики из {of}", many: "{n} реплик из {of}", other: "{n} реплики из {of}",
    },
    running: {one: "{n} реплика", few: "{n} реплики", many: "{n} реплик", other: "{n} реплики"},
    starting: "запускается: {n}",
    stopping: "останавливается: {n}", load: "в работе: {n}", queued: "ждут: {n}", rate: "{rate} запросов/с",
    peak: "самое большее {n} сразу",
    unmeasured: "Нагрузка ещё не измерена",
    seen: "Линии показывают запросы в работе и в ожидании за последние три минуты, пока страница была открыта.",
  },
});

/** Make the card; `update(applications)` shows what GET /v1/system tells. */
export function systemParts() {
  const list = h("ul", {class: "system-parts", "aria-label": t("title")});
  const element = h("section", {class: "card"}, h("h2", {}, t("title")), list, h("p", {class: "hint"}, t("seen")));
  /** @type {Map<string, ReturnType<typeof partRow>>} */
  const rows = new Map();

  /** @param {Application[]} applications */
  function update(applications) {
    const known = new Set();
    for (const application of applications) {
      /** @type {Part[]} */
      const parts = application.deployments.length ? application.deployments : [{...application, replicas: null}];
      for (const part of parts) {
        const id = `${application.name}.${part.name}`;
        known.add(id);
        const row = rows.get(id) ?? partRow(application.name, part.name);
        rows.set(id, row);
        row.update(part);
      }
    }
    for (const [id, row] of rows) {
      if (!known.has(id)) {
        rows.delete(id);
        row.element.remove();
      } else if (!row.element.isConnected) list.append(row.element);
    }
  }

  return {element, update};
}

/**
 * @param {string} application
 * @param {string} name
 */
function partRow(application, name) {
  const health = h("span", {class: "badge"});
  const message = h("p", {class: "system-message hint", lang: "en"});
  const replicas = h("span");
  const load = h("span");
  const peak = h("span", {class: "hint"});
  const line = sparkline();
  const element = h("li", {class: "system-part", data: {part: name}},
    h("div", {}, h("h3", {}, partName(name)), h("code", {class: "hint"}, `${application}.${name}`)),
    h("div", {class: "system-health"}, health), h("div", {class: "system-load numbers"}, replicas, load),
    h("div", {class: "system-history"}, line, peak), message);

  /** @param {Part} part */
  function update(part) {
    const [look, symbol] = statusLook(part.status);
    health.className = `badge ${look}`;
    fill(health, icon(symbol), statusName(part.status));
    message.hidden = part.replicas === null || !part.message;
    fill(message, part.replicas && part.message);
    fill(replicas, part.replicas && replicasInWords(part.replicas));
    fill(load);
    if (!part.replicas) return;
    if (part.ongoing_requests === null) {
      fill(load, t("unmeasured"));
      return;
    }
    const [ongoing, queued, rate] = [part.ongoing_requests, part.queued_requests ?? 0, part.requests_per_second ?? 0];
    fill(load, [
      t("load", {n: ongoing}), queued ? t("queued", {n: queued}) : null,
      rate >= 0.05 ? t("rate", {rate: decimal(rate)}) : null,
    ].filter(Boolean).join(" · "));
    const points = remember(`${application}.${name}`, ongoing + queued);
    line.draw(points);
    const most = Math.max(...points.map(([, value]) => value));
    fill(peak, most ? t("peak", {n: most}) : "");
  }

  return {element, update};
}

/** @param {ReplicaCounts} replicas */
function replicasInWords({running, starting, stopping, target}) {
  const words = target === null || target === running ? t("running", {n: running}) : t("replicas", {n: running, of: target});
  const more = [starting && t("starting", {n: starting}), stopping && t("stopping", {n: stopping})].filter(Boolean);
  return [words, ...more].join(" · ");
}
