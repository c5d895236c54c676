/**
 * The recording's speakers, by the names that a person gave them.
 * @import {TranscriptionJob} from "../lib/types.js"
 * @typedef {{ids: string[], index: number, known: string}} Person `ids`: of the speakers who are this person; `index`: of
 *   the first of them; `known`: the name in the transcript
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {fill, h} from "../lib/dom.js";
import {translations} from "../lib/i18n.js";

const t = translations({
  en: {
    unnamed: "Speaker {n}", name: "Name", save: "Save", cancel: "Cancel",
    allowed: "Up to 50 characters, without < and >",
    undone: "The name was not saved. {why}",
  },
  ru: {
    unnamed: "Говорящий {n}", name: "Имя", save: "Сохранить", cancel: "Отмена",
    allowed: "До 50 символов, без знаков < и >",
    undone: "Имя не сохранено. {why}",
  },
});

const LONGEST_NAME = 50;
const HUES = [195, 35, 285, 140, 350, 90, 250, 15, 165, 320];

/**
 * Return what a speaker without a name is called.
 * @param {number} index from 0
 */
export const unnamed = (index) => t("unnamed", {n: index + 1});
/** @param {number} index */
export const hueOf = (index) => HUES[index % HUES.length];

/**
 * The people of a job. Speakers with the same name are one person.
 * Events: "name": someone may be called otherwise now; "regroup": some have become one, or one has become several.
 */
export class People extends EventTarget {
  #job;
  #signal;
  /** @type {Record<string, string>} */
  #labels = {};
  /** @type {Map<string, string>} names by id, while they are being saved */
  #wished = new Map();
  #saving = Promise.resolve();
  /** @type {Person[]} */
  all = [];

  /**
   * @param {TranscriptionJob} job
   * @param {AbortSignal} signal
   */
  constructor(job, signal) {
    super();
    this.#job = job;
    this.#signal = signal;
    this.#take(job.labels);
  }

  /** @param {Record<string, string>} labels */
  #take(labels) {
    this.#labels = labels;
    /** @type {Map<string, Person>} */
    const byName = new Map();
    (this.#job.result?.speakers ?? []).forEach((id, index) => {
      const known = labels[id] ?? id;
      const person = byName.get(known);
      if (person) person.ids.push(id);
      else byName.set(known, {ids: [id], index, known});
    });
    this.all = [...byName.values()];
  }

  /**
   * Return the index of the person with this name in the transcript.
   * @param {string} known
   */
  find(known) {
    return Math.max(0, this.all.findIndex((person) => person.known === known));
  }

  /** @param {number} who index in `all` */
  hue(who) {
    return String(hueOf(this.all[who]?.index ?? 0));
  }

  /**
   * Return the name that was given, or "".
   * @param {number} who
   */
  given(who) {
    const [id] = this.all[who]?.ids ?? [];
    return this.#wished.get(id) ?? this.#labels[id] ?? "";
  }

  /** @param {number} who */
  name(who) {
    return this.given(who) || unnamed(this.all[who]?.index ?? 0);
  }

  /**
   * Rename a person at once, and save the name; undone where it can't be saved.
   * @param {number} who
   * @param {string} name "" takes the name away
   */
  async rename(who, name) {
    const {ids} = this.all[who];
    for (const id of ids) this.#wished.set(id, name);
    this.#tell();
    const saved = this.#saving.then(() => this.#save(ids, name));
    this.#saving = saved.catch(() => {});
    try {
      await saved;
    } finally {
      for (const id of ids) if (this.#wished.get(id) === name) this.#wished.delete(id);
      this.#tell();
    }
  }

  /**
   * @param {string[]} ids
   * @param {string} name
   */
  async #save(ids, name) {
    const {id: jobId} = this.#job;
    // Somebody else may have given names meanwhile, and all are replaced together.
    const {labels} = await askJson(`v1/jobs/${jobId}`, {signal: this.#signal});
    for (const id of ids) {
      if (name) labels[id] = name;
      else delete labels[id];
    }
    await askJson(`v1/jobs/${jobId}/labels`, {method: "PUT", json: {labels}, signal: this.#signal});
    const before = this.#grouping();
    this.#job.labels = labels;
    this.#take(labels);
    if (this.#grouping() !== before) this.dispatchEvent(new Event("regroup"));
  }

  #grouping() {
    return this.all.map(({ids}) => ids.join("+")).join();
  }

  #tell() {
    this.dispatchEvent(new Event("name"));
  }
}

/**
 * Put a field in a name's place, until it is saved or left.
 * @param {HTMLElement} button shows the name
 * @param {object} options
 * @param {People} options.people
 * @param {number} options.who
 * @param {(name: string) => void} options.onSaved
 */
export function renameInPlace(button, {people, who, onSaved}) {
  const fault = h("p", {class: "fault", role: "alert", hidden: true});
  const field = h("input", {
    type: "text", value: people.given(who), placeholder: unnamed(people.all[who].index), maxlength: LONGEST_NAME,
    pattern: "[^<>]*", title: t("allowed"), "aria-label": t("name"), autocomplete: "off", spellcheck: "false",
  });
  const form = h("form", {class: "transcript-rename", on: {
    submit: (event) => {
      event.preventDefault();
      save(field.value.trim());
    },
    keydown: (event) => {
      if (event.key === "Escape") leave();
    },
  }},
    field, h("button", {type: "submit", class: "small"}, t("save")),
    h("button", {type: "button", class: "quiet small", on: {click: leave}}, t("cancel")), fault);
  open();

  function open() {
    button.replaceWith(form);
    field.focus();
    field.select();
  }

  function leave() {
    form.replaceWith(button);
    button.focus();
  }

  /** @param {string} name */
  async function save(name) {
    leave();
    if (name === people.given(who)) return;
    try {
      await people.rename(who, name);
      onSaved(people.name(who));
    } catch (error) {
      const why = sentenceOf(error);
      if (!why) return;
      fault.hidden = false;
      fill(fault, t("undone", {why}));
      open();
    }
  }
}
