/** Translate: a text, a recording, or live speech. */

import {translations} from "../lib/i18n.js";
import {tabs} from "../lib/tabs.js";
import {filePanel} from "./file.js";
import {languageList} from "./languages.js";
import {livePanel} from "./live.js";
import {textPanel} from "./text.js";

const t = translations({
  en: {what: "What to translate", text: "Text", file: "Recording", live: "Live"},
  ru: {what: "Что перевести", text: "Текст", file: "Запись", live: "Вживую"},
});

/**
 * Show the section: `#/translate` is for texts, `/live` after it for live speech, `/file` and `/JOB` for recordings.
 * @param {HTMLElement} root
 * @param {import("../lib/types.js").Place} place
 */
export async function mount(root, {owner, params, signal, showInAddress}) {
  const list = languageList(signal);
  const shared = {list, limits: owner.limits, signal};
  const text = textPanel(shared);
  const file = filePanel({...shared, showInAddress});
  const live = livePanel(shared);
  const asked = params[0] ?? "text";
  const first = /** @type {const} */ (["text", "file", "live"]).find((id) => id === asked) ?? "file";
  if (first !== asked) file.watch(asked);
  const chooser = tabs(t("what"), [
    {id: "text", title: t("text"), panel: text},
    {id: "file", title: t("file"), panel: file},
    {id: "live", title: t("live"), panel: live},
  ], (id) => {
    if (id !== "live") live.leave();
    if (id === "text") showInAddress();
    else showInAddress(id === "file" ? file.jobId ?? id : id);
  });
  chooser.choose(first);
  root.append(chooser);
  list.load();
}
