/**
 * The kinds of jobs: their names, sections and icons.
 * @import {IconName, Job, JobKind} from "./types.js"
 */

import {translations} from "./i18n.js";

const t = translations({
  en: {
    spoof: "Voice check", transcription: "Transcript", translation: "Translation", avatar: "Avatar film",
    unknown: "{kind} (not known to this version)",
  },
  ru: {
    spoof: "Проверка голоса", transcription: "Расшифровка", translation: "Перевод", avatar: "Видео с аватаром",
    unknown: "{kind} (неизвестно этой версии)",
  },
});

/**
 * The section that shows a kind, and its icon.
 * @type {Record<JobKind, {section: string, icon: IconName}>}
 */
export const KINDS = {
  spoof: {section: "voice-check", icon: "voice"},
  transcription: {section: "transcript", icon: "transcript"},
  translation: {section: "translate", icon: "translate"},
  avatar: {section: "avatar", icon: "avatar"},
};

/** @param {string} kind */
export const kindName = (kind) => kind in KINDS ? t(/** @type {JobKind} */ (kind)) : t("unknown", {kind});

/**
 * Return the address of a job's own page, from the # on; null for a kind that no section shows.
 * @param {Job} job
 */
export const jobHash = (job) => job.kind in KINDS ? `#/${KINDS[job.kind].section}/${job.id}` : null;
