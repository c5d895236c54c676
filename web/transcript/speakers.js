/**
 * The card of the speakers: name, share of the speech, and the verdict on the voice where that was asked for.
 * @import {SpeakerVerdict, SpoofBands, Transcript, TranscriptionJob} from "../lib/types.js"
 */

import {fill, h, icon} from "../lib/dom.js";
import {duration, percent, translations} from "../lib/i18n.js";
import {renameInPlace} from "./people.js";
import {playButton} from "../lib/play-button.js";
import {chanceAgainst, VERDICT_TONES} from "../lib/spoof-scores.js";

const t = translations({
  en: {
    title: "Speakers", play: "Listen to {name}", pause: "Pause {name}", rename: "Rename {name}",
    spoke: "{length}, {share}", bona_fide: "voice probably genuine", inconclusive: "voice with some signs of a machine",
    spoof: "voice probably made by AI", untold: "voice can't be judged: hardly ever speaks alone",
    about: "probability that a machine made the voice: {chance}",
    hint: "The verdicts are hints, never proofs.", merge: "Give two speakers the same name to make them one.",
  },
  ru: {
    title: "Говорящие", play: "Слушать: {name}", pause: "Пауза: {name}", rename: "Переименовать: {name}",
    spoke: "{length}, {share}",
    bona_fide: "голос, вероятно, подлинный", inconclusive: "у голоса некоторые признаки генерации",
    spoof: "голос, вероятно, сгенерирован ИИ", untold: "голос нельзя оценить: почти не говорит один",
    about: "вероятность того, что голос создан машиной: {chance}", hint: "Оценки — подсказки, а не доказательства.",
    merge: "Дайте двум говорящим одно имя, и они станут одним.",
  },
});

const ICONS = /** @type {const} */ ({bona_fide: "check", inconclusive: "warning", spoof: "warning"});

/**
 * Make the card.
 * @param {object} options
 * @param {TranscriptionJob} options.job
 * @param {Transcript} options.transcript
 * @param {import("./people.js").People} options.people
 * @param {import("../lib/recording-player.js").RecordingPlayer} options.player
 * @param {AbortSignal} options.signal
 * @param {(name: string) => void} options.onRenamed
 */
export function speakersCard({job, transcript, people, player, signal, onRenamed}) {
  const stretches = people.all.map(({known}) => transcript.diarization.filter(({speaker: by}) => by === known));
  const seconds = stretches.map((spans) => spans.reduce((sum, {start, end}) => sum + end - start, 0));
  const spoken = seconds.reduce((sum, one) => sum + one, 0);
  const spoof = job.result?.spoof;
  const names = people.all.map((person, who) => {
    const words = h("span");
    /** @type {HTMLButtonElement} */
    const button = h("button", {type: "button", class: "transcript-name", on: {
      click: () => renameInPlace(button, {people, who, onSaved: onRenamed}),
    }}, words, icon("edit"));
    const show = () => {
      fill(words, people.name(who));
      button.setAttribute("aria-label", t("rename", {name: people.name(who)}));
    };
    show();
    return {button, show};
  });
  people.addEventListener("name", () => names.forEach(({show}) => show()), {signal});

  /**
   * @param {import("./people.js").Person} person
   * @param {number} who
   */
  function item(person, who) {
    const element = h("li", {class: "transcript-speaker"},
      h("div", {class: "row"},
        stretches[who].length ? playButton({
          player, name: `speaker-${who}`, signal, stretches: () => stretches[who],
          words: () => t("play", {name: people.name(who)}), pauseWords: () => t("pause", {name: people.name(who)}),
        }) : null,
        names[who].button,
        seconds[who] ? h("span", {class: "hint numbers"},
          t("spoke", {length: duration(seconds[who]), share: percent(seconds[who] / spoken)})) : null),
      (spoof?.speakers ?? []).filter((one) => person.ids.includes(one.speaker))
        .map((one) => verdict(one, spoof?.bands ?? null)));
    element.style.setProperty("--hue", people.hue(who));
    return element;
  }

  const hints = [spoof && t("hint"), people.all.length > 1 && t("merge")].filter(Boolean);
  return h("section", {class: "card", "aria-label": t("title")}, h("h2", {}, t("title")),
    h("ul", {class: "transcript-speakers"}, people.all.map(item)),
    hints.length ? h("p", {class: "hint"}, hints.join(" ")) : null);
}

/**
 * @param {SpeakerVerdict} judged
 * @param {SpoofBands|null} bands null where nothing could be judged
 */
function verdict({p_spoof: probability, verdict: said}, bands) {
  if (probability === null || !bands) return h("p", {}, h("span", {class: "badge transcript-verdict"}, t("untold")));
  return h("p", {class: "row"},
    h("span", {class: `badge transcript-verdict ${VERDICT_TONES[said]}`}, icon(ICONS[said]), t(said)),
    h("span", {class: "hint"}, t("about", {chance: chanceAgainst(probability, bands)})));
}
