/**
 * The names of the service's parts and of their states.
 * @import {IconName} from "../lib/types.js"
 */

import {translations} from "../lib/i18n.js";

const t = translations({
  en: {
    worker: "Jobs", asr: "Speech recognition", diarization: "Telling speakers apart", spoof: "Voice check",
    speaker: "Recognising a voice", translation: "Translation", speech: "Speech synthesis", lipsync: "Lip movement",
    ingress: "API", live: "Live sound", graphs: "Models and jobs", api: "API", database: "Database",
    objects: "Storage of recordings", healthy: "Healthy", updating: "Starting", upscaling: "Growing",
    downscaling: "Shrinking", unhealthy: "Not healthy", deploy_failed: "Does not start", running: "Running",
    deploying: "Starting", deleting: "Stopping", not_started: "Not started", not_deployed: "Not there",
  },
  ru: {
    worker: "Задания", asr: "Распознавание речи", diarization: "Различение говорящих", spoof: "Проверка голоса",
    speaker: "Узнавание голоса", translation: "Перевод", speech: "Синтез речи", lipsync: "Движение губ",
    ingress: "API", live: "Живой звук", graphs: "Модели и задания", api: "API", database: "База данных",
    objects: "Хранилище записей", healthy: "Исправно", updating: "Запускается", upscaling: "Растёт",
    downscaling: "Уменьшается", unhealthy: "Неисправно", deploy_failed: "Не запускается", running: "Работает",
    deploying: "Запускается", deleting: "Останавливается", not_started: "Не запущено", not_deployed: "Нет",
  },
});

const NAMES = /** @type {const} */ ([
  "worker", "asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync", "ingress", "live", "graphs",
  "api", "database", "objects",
]);
/** @satisfies {Record<string, [look: string, symbol: IconName]>} */
const LOOKS = {
  healthy: ["good", "check"], running: ["good", "check"], upscaling: ["good", "check"], downscaling: ["good", "check"],
  updating: ["unsure", "history"], deploying: ["unsure", "history"], not_started: ["unsure", "history"],
  unhealthy: ["bad", "warning"], deploy_failed: ["bad", "warning"], deleting: ["bad", "warning"],
  not_deployed: ["bad", "warning"],
};

/**
 * Return "Translation" for "translation", or for "graphs.translation".
 * @param {string} name
 */
export function partName(name) {
  const last = name.split(".").at(-1) ?? name;
  const known = NAMES.find((one) => one === last);
  return known ? t(known) : last;
}

/** @type {(status: string) => status is keyof typeof LOOKS} */
const isKnown = (status) => status in LOOKS;

/** @param {string} status */
export const statusName = (status) => isKnown(status) ? t(status) : status;

/**
 * Return the look of a badge, and its icon.
 * @param {string} status
 * @returns {[look: string, symbol: IconName]}
 */
export const statusLook = (status) => isKnown(status) ? LOOKS[status] : ["", "system"];
