/**
 * Verdicts on the speakers of a recording: each to be heard, and to be given a name.
 * @import {SpeakerVerdict, SpeechTurn, SpoofJob, SpoofReport} from "../lib/types.js"
 */

import {askJson, sentenceOf} from "../lib/api.js";
import {extend, fill, h, icon} from "../lib/dom.js";
import {duration, translations} from "../lib/i18n.js";
import {playButton} from "../lib/play-button.js";
import {chanceAgainst, VERDICT_TONES} from "../lib/spoof-scores.js";

const t = translations({
  en: {
    title: "Speakers", none: "Nobody was heard speaking.", unnamed: "Speaker {n}", judged: "{seconds} judged",
    bona_fide: "probably genuine", inconclusive: "some signs", spoof: "probably made by AI",
    untold: "can't be judged: hardly ever speaks alone", play: "Play {name}", pause: "Pause {name}",
    rename: "Rename {name}", name: "Name", save: "Save", cancel: "Cancel", saving: "Saving…",
    allowed: "A name without < and >", renamed: "Renamed to {name}",
    how: "Each is judged by the stretches where nobody else speaks.",
  },
  ru: {
    title: "Говорящие", none: "Говорящих не слышно.", unnamed: "Говорящий {n}", judged: "оценено: {seconds}",
    bona_fide: "вероятно, подлинный", inconclusive: "некоторые признаки", spoof: "вероятно, сгенерирован ИИ",
    untold: "нельзя оценить: почти не говорит один", play: "Слушать: {name}", pause: "Пауза: {name}",
    rename: "Переименовать: {name}", name: "Имя", save: "Сохранить", cancel: "Отмена", saving: "Сохранение…",
    allowed: "Имя без знаков < и >", renamed: "Новое имя: {name}",
    how: "Каждый оценён по тем местам, где больше никто не говорит.",
  },
});

const ICONS = /** @type {const} */ ({bona_fide: "check", inconclusive: "warning", spoof: "warning"});
const LONGEST_NAME = 50;

/**
 * Make the card of the speakers; `hear(turns)` tells it who spoke when.
 * @param {object} options
 * @param {SpoofJob} options.job
 * @param {SpoofReport} options.report
 * @param {SpeakerVerdict[]} options.judged the report's speakers
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 */
export function speakerVerdicts({job, report, judged, player, signal}) {
  // The report has the names that were given; the job has the ids by which to give them.
  const ids = job.result?.speakers ?? [];
  let labels = {...job.labels};
  /** @type {SpeechTurn[]} */
  let turns = [];
  const news = h("p", {class: "visually-hidden", role: "status"});
  const nameOf = (/** @type {number} */ index) => labels[ids[index]] ?? t("unnamed", {n: index + 1});
  const rows = judged.map(row);

  /**
   * @param {SpeakerVerdict} judged
   * @param {number} index
   */
  function row({p_spoof: probability, verdict: said, speech_seconds: seconds}, index) {
    const id = ids[index];
    const place = h("div", {class: "row vc-speaker-name"});
    const sound = h("span");
    const fault = h("p", {class: "fault", role: "alert", hidden: true});
    const verdict = probability === null || !report.bands ? h("span", {}, t("untold")) : [
      h("span", {class: `badge ${VERDICT_TONES[said]}`}, icon(ICONS[said]), t(said)),
      h("strong", {class: "numbers"}, chanceAgainst(probability, report.bands)),
      h("span", {class: "hint"}, t("judged", {seconds: duration(seconds)})),
    ];

    function showName(focus = false) {
      const edit = h("button", {
        type: "button", class: "quiet small icon-only", "aria-label": t("rename", {name: nameOf(index)}),
        on: {click: () => showField()},
      }, icon("edit"));
      fill(place, h("h3", {}, nameOf(index)), edit);
      if (focus) edit.focus();
    }

    function showField() {
      fault.hidden = true;
      const field = h("input", {
        type: "text", value: labels[id] ?? "", placeholder: t("unnamed", {n: index + 1}), maxlength: LONGEST_NAME,
        pattern: "[^<>]*", title: t("allowed"), "aria-label": t("name"), autocomplete: "off",
      });
      const button = h("button", {type: "submit", class: "small"}, t("save"));
      const cancel = h("button", {type: "button", class: "quiet small", on: {click: () => showName(true)}},
        t("cancel"));
      const form = h("form", {class: "row vc-rename", on: {
        submit: (event) => {
          event.preventDefault();
          save(field.value.trim(), button);
        },
        keydown: (event) => {
          if (event.key === "Escape") showName(true);
        },
      }}, field, button, cancel);
      fill(place, form);
      field.select();
      field.focus();
    }

    /**
     * @param {string} name
     * @param {HTMLButtonElement} button
     */
    async function save(name, button) {
      const wanted = {...labels};
      if (name) wanted[id] = name;
      else delete wanted[id];
      button.disabled = true;
      fill(button, t("saving"));
      try {
        ({labels} = await askJson(`v1/jobs/${job.id}/labels`, {method: "PUT", json: {labels: wanted}, signal}));
        fault.hidden = true;
        showName(true);
        showSound();
        fill(news, t("renamed", {name: nameOf(index)}));
      } catch (error) {
        const sentence = sentenceOf(error);
        if (!sentence) return;
        button.disabled = false;
        fill(button, t("save"));
        fault.hidden = false;
        fill(fault, sentence);
      }
    }

    let withSound = new AbortController();
    function showSound() {
      withSound.abort();
      withSound = new AbortController();
      const stretches = turns.filter((turn) => turn.speaker === id);
      fill(sound, stretches.length ? playButton({
        player, name: id, signal: AbortSignal.any([signal, withSound.signal]), stretches: () => stretches,
        words: () => t("play", {name: nameOf(index)}), pauseWords: () => t("pause", {name: nameOf(index)}),
      }) : null);
    }

    showName();
    return {
      showSound,
      item: h("li", {class: "vc-speaker"},
        h("div", {class: "row"}, sound, place),
        h("div", {class: "row"}, verdict),
        fault),
    };
  }

  const element = h("section", {class: "card", "aria-label": t("title")}, h("h2", {}, t("title")),
    h("p", {class: "hint"}, t(rows.length ? "how" : "none")),
    h("ul", {class: "vc-speakers"}, rows.map(({item}) => item)), news);
  return extend(element, {
    /** @param {SpeechTurn[]} heard */
    hear(heard) {
      turns = heard;
      for (const {showSound} of rows) showSound();
    },
  });
}
