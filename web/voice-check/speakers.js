/** Verdicts on the speakers of a recording: each to be heard, and to be given a name. */

import {askJson, sentenceOf} from "../lib/api.js";
import {fill, h, icon} from "../lib/dom.js";
import {duration, speaker} from "../lib/i18n.js";
import {playButton} from "../lib/play-button.js";
import {chanceAgainst, VERDICT_TONES} from "../lib/spoof-scores.js";

const t = speaker({
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

const ICONS = {bona_fide: "check", inconclusive: "warning", spoof: "warning"};
const LONGEST_NAME = 50;

/**
 * The card of the speakers.
 * @returns {HTMLElement & {hear: (turns: Array<{speaker, start, end}>) => void}} `hear`: now it is known who spoke when
 */
export function speakerVerdicts({job, report, player, signal}) {
  // The report has the names that were given; the job has those to give them by.
  const ids = job.result.speakers;
  let labels = {...job.labels};
  let turns = [];
  const news = h("p", {class: "visually-hidden", role: "status"});
  const nameOf = (index) => labels[ids[index]] ?? t("unnamed", {n: index + 1});
  const rows = report.speakers.map(row);

  function row(judged, index) {
    const id = ids[index];
    const place = h("div", {class: "row vc-speaker-name"});
    const sound = h("span");
    const fault = h("p", {class: "fault", role: "alert", hidden: true});
    const unknown = judged.p_spoof === null;
    const verdict = unknown ? h("span", {}, t("untold")) : [
      h("span", {class: `badge ${VERDICT_TONES[judged.verdict]}`}, icon(ICONS[judged.verdict]), t(judged.verdict)),
      h("strong", {class: "numbers"}, chanceAgainst(judged.p_spoof, report.bands)),
      h("span", {class: "hint"}, t("judged", {seconds: duration(judged.speech_seconds)})),
    ];

    function showName(focus = false) {
      const edit = h("button", {
        type: "button", class: "quiet small icon-only", "aria-label": t("rename", {name: nameOf(index)}),
        on: {click: showField},
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

    async function save(name, button) {
      const {[id]: _, ...others} = labels;
      button.disabled = true;
      fill(button, t("saving"));
      try {
        const wanted = name ? {...others, [id]: name} : others;
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
  element.hear = (heard) => {
    turns = heard;
    for (const {showSound} of rows) showSound();
  };
  return element;
}
