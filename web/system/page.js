/**
 * The state of the service: health and load of its parts, the queue, versions, and links for operators.
 * @import {Application, IconName, Place, System} from "../lib/types.js"
 */

import {address, ask, isAbort, Problem, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {duration, translations} from "../lib/i18n.js";
import {systemLanguages} from "./languages.js";
import {systemParts} from "./parts.js";
import {systemQueue} from "./queue.js";
import {partName, statusLook, statusName} from "./words.js";

const t = translations({
  en: {
    looking: "Looking how the service is…", ready: "Everything is ready.", one: "{name} is not ready.",
    several: "Not ready: {names}.",
    unreachable: "The service cannot be reached. The page goes on trying.",
    before: "What is shown below is from before.",
    unknown: "The service answers, but not to this: {sentence}",
    updated: "Updated {ago} ago", now: "Updated just now", paused: "Paused",
    latency: "It answers this browser after {n} ms",
    pause: "Pause", go_on: "Go on", versions: "Versions", more: "For operators",
    reference: "API reference", dashboard: "Ray dashboard",
    dashboard_hint: "It asks for a token of its own; make run prints it.",
    no_dashboard: "The Ray dashboard shows replicas and logs. Its address is not set (dashboard_url in the settings).",
    metrics: "Metrics for Prometheus, with an API key or the operator's key:", new_tab: "(in a new tab)",
  },
  ru: {
    looking: "Узнаём, как дела у сервиса…", ready: "Всё готово к работе.", one: "Не готово: {name}.",
    several: "Не готово: {names}.",
    unreachable: "Сервис недоступен. Страница пробует дальше.", before: "Ниже показано то, что было раньше.",
    unknown: "Сервис отвечает, но не на это: {sentence}",
    updated: "Обновлено {ago} назад", now: "Обновлено только что", paused: "На паузе",
    latency: "Этому браузеру он отвечает через {n} мс",
    pause: "Пауза", go_on: "Продолжить", versions: "Версии", more: "Администраторам",
    reference: "Справочник API", dashboard: "Панель Ray",
    dashboard_hint: "Она спросит свой токен; его печатает make run.",
    no_dashboard: "Панель Ray показывает реплики и журналы. Её адрес не указан (dashboard_url в настройках).",
    metrics: "Метрики для Prometheus, с ключом API или ключом администратора:", new_tab: "(в новой вкладке)",
  },
});

const REFRESH_S = 5;
const LONGEST_WAIT_S = 15;

/**
 * Show the section.
 * @param {HTMLElement} root
 * @param {Place} place
 */
export function mount(root, {signal}) {
  const sentence = h("p", {class: "system-sentence", role: "status"}, t("looking"));
  const mark = h("span", {class: "system-mark"}, icon("system"));
  const reasons = h("ul", {class: "system-reasons", lang: "en"});
  const ago = h("span", {});
  const latency = h("span", {});
  const pause = h("button", {type: "button", class: "quiet small", on: {click: toggle}}, icon("pause"), t("pause"));
  const overall = h("section", {class: "card system-overall"},
    h("div", {class: "row"}, mark, sentence), reasons,
    h("div", {class: "row spread"}, h("p", {class: "hint row numbers"}, ago, latency), pause));
  const parts = systemParts();
  const queue = systemQueue();
  const versions = h("dl", {class: "system-versions"});
  const versionsCard = h("section", {class: "card", hidden: true}, h("h2", {}, t("versions")), versions);
  const links = h("div", {class: "stack"});
  const below = h("div", {class: "stack", hidden: true}, parts.element, queue.element);
  const beside = h("div", {class: "columns"}, systemLanguages({signal}),
    versionsCard,
    h("section", {class: "card"}, h("h2", {}, t("more")), links));
  showLinks(null);
  fill(root, overall, below, beside);

  let [timer, paused, failures, asking] = [0, false, 0, false];
  /** @type {number|null} */
  let updated = null;
  const clock = setInterval(tellAge, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); }, {signal});
  addEventListener("online", refresh, {signal});
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    clearInterval(clock);
  }, {once: true});
  refresh();

  function toggle() {
    paused = !paused;
    fill(pause, icon(paused ? "play" : "pause"), t(paused ? "go_on" : "pause"));
    tellAge();
    if (paused) clearTimeout(timer);
    else refresh();
  }

  async function refresh() {
    clearTimeout(timer);
    if (asking || paused || document.hidden || signal.aborted) return;
    asking = true;
    try {
      const [system, readiness] = await Promise.all([state(), ready()]);
      await ping();
      updated = Date.now();
      failures = 0;
      show(system, readiness);
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      await explain(error);
    } finally {
      asking = false;
    }
    tellAge();
    const wait = Math.min(REFRESH_S * 2 ** failures, LONGEST_WAIT_S);
    if (!signal.aborted && !paused) timer = setTimeout(refresh, wait * 1000);
  }

  /** @returns {Promise<System>} */
  async function state() {
    return (await ask("v1/system", {signal})).json();
  }

  /**
   * Ask which parts are not ready, and why. The route takes no key, so it answers without the database too.
   * @returns {Promise<Record<string, string>>} reasons by name
   */
  async function ready() {
    let response;
    try {
      response = await fetch(address("ready"), {signal});
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new Problem("network");
    }
    const {missing = {}} = await response.json().catch(() => ({}));
    return missing;
  }

  async function ping() {
    const start = performance.now();
    await (await ask("ping", {signal})).text();
    fill(latency, t("latency", {n: Math.max(1, Math.round(performance.now() - start))}));
  }

  /**
   * @param {"good"|"bad"} look
   * @param {IconName} symbol
   * @param {string} words
   * @param {Record<string, string>} [missing] reasons by the parts' names
   */
  function conclude(look, symbol, words, missing = {}) {
    overall.classList.remove("good", "unsure", "bad");
    overall.classList.add(look);
    fill(mark, icon(symbol));
    if (sentence.textContent !== words) fill(sentence, words);
    fill(reasons, Object.entries(missing).map(([name, reason]) => h("li", {}, h("code", {}, name), `: ${reason}`)));
    reasons.hidden = Object.keys(missing).length === 0;
  }

  /** @param {Record<string, string>} missing */
  function notReady(missing) {
    const names = Object.keys(missing).map(partName);
    const words = names.length === 1 ? t("one", {name: names[0]}) : t("several", {names: names.join(", ")});
    conclude("bad", "warning", words, missing);
  }

  /**
   * @param {System} system
   * @param {Record<string, string>} unready
   */
  function show(system, unready) {
    const missing = {...unhealthy(system.applications), ...unready};
    if (Object.keys(missing).length) notReady(missing);
    else conclude("good", "check", t("ready"));
    below.hidden = false;
    below.classList.remove("system-stale");
    parts.update(system.applications);
    queue.update(system.queue);
    versionsCard.hidden = false;
    fill(versions, Object.entries({voicegraph: system.version, ...system.versions})
      .map(([name, version]) => h("div", {}, h("dt", {}, name), h("dd", {}, version))));
    showLinks(system.dashboard_url);
  }

  /**
   * Say why there is nothing new; what was known stays, greyed.
   * @param {unknown} error
   */
  async function explain(error) {
    const known = updated === null ? "" : ` ${t("before")}`;
    below.classList.toggle("system-stale", updated !== null);
    fill(latency);
    /** @type {Record<string, string>} */
    let missing = {};
    if (error instanceof Problem && error.code !== "network") {
      try {
        missing = await ready();
      } catch { /* Then it can't be reached at all. */ }
    }
    if (signal.aborted) return;
    if (Object.keys(missing).length) notReady(missing);
    else conclude("bad", "warning", reasonOf(error) + known);
  }

  function tellAge() {
    if (updated === null) return;
    const seconds = Math.round((Date.now() - updated) / 1000);
    const words = seconds < 2 ? t("now") : t("updated", {ago: duration(seconds)});
    fill(ago, paused ? `${t("paused")} · ${words}` : words);
  }

  /** @param {string|null} dashboard */
  function showLinks(dashboard) {
    const link = (/** @type {string} */ href, /** @type {string} */ words) =>
      h("a", {href, target: "_blank", rel: "noopener"}, words, " ", h("span", {class: "hint"}, t("new_tab")));
    fill(links, h("p", {}, link(address("docs").href, t("reference"))),
      dashboard ? h("p", {}, link(dashboard, t("dashboard")), h("br"), h("span", {class: "hint"}, t("dashboard_hint")))
        : h("p", {class: "hint"}, t("no_dashboard")),
      h("p", {}, t("metrics")),
      h("pre", {class: "system-command", tabindex: "0"}, `curl -H "X-API-Key: $KEY" ${address("metrics").href}`));
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Problem)) return sentenceOf(error) ?? "";
  return error.code === "network" ? t("unreachable") : t("unknown", {sentence: error.message});
}

/**
 * Return the parts that are not healthy, by name, each with a reason.
 * @param {Application[]} applications
 * @returns {Record<string, string>}
 */
function unhealthy(applications) {
  const parts = applications.flatMap(({name, status, deployments}) => deployments.length
    ? deployments.map((part) => ({name: `${name}.${part.name}`, status: part.status, message: part.message}))
    : [{name, status, message: null}]);
  return Object.fromEntries(parts.filter(({status}) => statusLook(status)[0] === "bad")
    .map(({name, status, message}) => [name, message ?? statusName(status)]));
}
