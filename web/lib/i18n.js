/**
 * English and Russian. Each module has its own words, {en: {...}, ru: {...}}, side by side.
 * @import {Locale, Text, TextValues} from "./types.js"
 */

const STORED = "voicegraph-language";
/** @type {Record<Locale, string>} */
export const LOCALES = {en: "English", ru: "Русский"};

let current = read();

/** @returns {Locale} */
function read() {
  const chosen = localStorage.getItem(STORED);
  if (chosen === "en" || chosen === "ru") return chosen;
  return navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en";
}

export const locale = () => current;

/** @param {Locale} chosen */
export function setLocale(chosen) {
  current = chosen;
  localStorage.setItem(STORED, chosen);
  document.documentElement.lang = chosen;
}

/**
 * Return the function that says a module's words in the person's language: `t("key", {name: value})`.
 * `{name}` in a text is replaced. A text may be an object by plural category ({one, few, many, other}), chosen by `n`.
 * @template {string} Key
 * @param {{en: Record<Key, Text>, ru: Record<Key, Text>}} words
 * @returns {(key: Key, values?: TextValues) => string}
 */
export function translations(words) {
  const missing = Object.keys({...words.en, ...words.ru}).filter((key) => !(key in words.en) || !(key in words.ru));
  if (missing.length) console.error(`not said in both languages: ${missing.join(", ")}`);
  return (key, values = {}) => {
    /** @type {Text|undefined} */
    let text = words[current][key];
    if (text === undefined) throw new Error(`no words for ${key} in ${current}`);
    if (typeof text === "object") {
      /** @type {Partial<Record<Intl.LDMLPluralRule, string>> & {other: string}} */
      const forms = text;
      text = forms[new Intl.PluralRules(current).select(Number(values.n))] ?? forms.other;
    }
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === "number" ? value.toLocaleString(current) : value ?? "";
    });
  };
}

/**
 * Return the name of a language by its code, "Spanish", "испанский"; the code itself where it has none.
 * @param {string} code
 */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([current], {type: "language"}).of(code) ?? code;
  } catch {
    return code;
  }
}

/**
 * Return the same with a capital letter: "Spanish", "Испанский".
 * @param {string} code
 */
export function languageTitle(code) {
  const name = languageName(code.replaceAll("_", "-"));
  return name.charAt(0).toLocaleUpperCase(current) + name.slice(1);
}

/** @param {number} value */
export function decimal(value, digits = 1) {
  return value.toLocaleString(current, {minimumFractionDigits: digits, maximumFractionDigits: digits});
}

/** @param {number} share */
export const percent = (share, digits = 0) =>
  share.toLocaleString(current, {style: "percent", maximumFractionDigits: digits});

/**
 * Format a place in a recording: "0:07", "12:30", "1:02:03".
 * @param {number} seconds
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/**
 * Format a size: "1.2 MB".
 * @param {number} value bytes
 */
export function bytes(value) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return (value / 1000 ** power).toLocaleString(current, {
    style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: power > 1 ? 1 : 0,
  });
}

/**
 * Format a length of time: "12s", "3m 5s".
 * @param {number} seconds
 */
export function duration(seconds) {
  const unit = (/** @type {number} */ value, /** @type {string} */ name) =>
    value.toLocaleString(current, {style: "unit", unit: name, unitDisplay: "narrow"});
  if (seconds < 60) return unit(Math.round(seconds * 10) / 10, "second");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  const parts = hours ? [unit(hours, "hour"), unit(minutes, "minute")] : [unit(minutes, "minute"), unit(rest, "second")];
  return parts.join(" ");
}

/**
 * Format a moment: "27 Nov 2026, 10:15".
 * @param {string} iso
 */
export function moment(iso) {
  return new Date(iso).toLocaleString(current, {dateStyle: "medium", timeStyle: "short"});
}
