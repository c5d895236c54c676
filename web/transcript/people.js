/** Who speaks: the recording's speakers by the names that a person gave them. */

import {askJson, sentenceOf} from "../lib/api.js";
import {fill, h} from "../lib/dom.js";
import {speaker} from "../lib/i18n.js";

const t = speaker({
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

/** What a speaker is called that has no name yet; counted from 0. */
export const unnamed = (index) => t("unnamed", {n: index + 1});
export const hueOf = (index) => HUES[index % HUES.length];

/**
 * The people of a job. Speakers with the same name are one person.
 * Events: "name": someone may be called otherwise now; "regroup": some have become one, or one has become several.
 */
export class People extends EventTarget {
  #job;
  #signal;
  #labels;
  // By id, while they are being saved.
  #wished = new Map();
  #saving = Promise.resolve();

  constructor(job, signal) {
    super();
    this.#job = job;
    this.#signal = signal;
    this.#take(job.labels);
  }

  #take(labels) {
    this.#labels = labels;
    const byName = new Map();
    this.#job.result.speakers.forEach((id, index) => {
      const known = labels[id] ?? id;
      if (byName.has(known)) byName.get(known).ids.push(id);
      else byName.set(known, {ids: [id], index, known});
    });
    this.all = [...byName.values()];
  }

  /** Index of whom the transcript calls so. */
  find(known) {
    return Math.max(0, this.all.findIndex((person) => person.known === known));
  }

  hue(who) {
    return hueOf(this.all[who]?.index ?? 0);
  }

  /** The name that was given, or "". */
  given(who) {
    const [id] = this.all[who]?.ids ?? [];
    return this.#wished.get(id) ?? this.#labels[id] ?? "";
  }

  name(who) {
    return this.given(who) || unnamed(this.all[who]?.index ?? 0);
  }

  /** Call someone by another name at once, and keep it; undone where it can't be kept. "" takes the name away. */
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

  async #save(ids, name) {
    const path = `v1/jobs/${this.#job.id}`;
    // Somebody else may have given names meanwhile, and all are replaced together.
    const {labels} = await askJson(path, {signal: this.#signal});
    for (const id of ids) {
      if (name) labels[id] = name;
      else delete labels[id];
    }
    await askJson(`${path}/labels`, {method: "PUT", json: {labels}, signal: this.#signal});
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

/** Put a field in a name's place, until it is saved or left. `button` shows the name; `said(name)`: it was saved. */
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
