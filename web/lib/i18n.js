/** English and Russian. Each module has its own words, {en: {...}, ru: {...}}, side by side. */

const STORED = "voicegraph-language";
export const LOCALES = {en: "English", ru: "Русский"};

let current = read();

function read() {
  const chosen = localStorage.getItem(STORED);
  if (chosen in LOCALES) return chosen;
  return navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en";
}

/** "en" or "ru". */
export const locale = () => current;

export function setLocale(chosen) {
  current = chosen;
  localStorage.setItem(STORED, chosen);
  document.documentElement.lang = chosen;
}

/**
 * Return the function that says a module's words in the person's language: `t("key", {name: value})`.
 * `{name}` in a text is replaced. A text may be an object by plural category ({one, few, many, other}), chosen by `n`.
 */
export function speaker(words) {
  const missing = Object.keys({...words.en, ...words.ru}).filter((key) => !(key in words.en) || !(key in words.ru));
  if (missing.length) console.error(`not said in both languages: ${missing.join(", ")}`);
  return (key, values = {}) => {
    let text = words[current][key];
    if (text === undefined) throw new Error(`no words for ${key} in ${current}`);
    if (typeof text === "object") {
      const category = new Intl.PluralRules(current).select(values.n);
      text = text[category] ?? text.other;
    }
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === "number" ? value.toLocaleString(current) : value ?? "";
    });
  };
}

/** "Spanish", "испанский": the name of a language by its code; the code itself where it has none. */
export function languageName(code) {
  try {
    return new Intl.DisplayNames([current], {type: "language"}).of(code) ?? code;
  } catch {
    return code;
  }
}

/** The same as the beginning of a line: "Spanish", "Испанский". */
export function languageTitle(code) {
  const name = languageName(code.replaceAll("_", "-"));
  return name.charAt(0).toLocaleUpperCase(current) + name.slice(1);
}

export function decimal(value, digits = 1) {
  return value.toLocaleString(current, {minimumFractionDigits: digits, maximumFractionDigits: digits});
}

export const percent = (share, digits = 0) =>
  share.toLocaleString(current, {style: "percent", maximumFractionDigits: digits});

/** "0:07", "12:30", "1:02:03": a place in a recording. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** "1.2 MB": a size as people read it. */
export function bytes(value) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return (value / 1000 ** power).toLocaleString(current, {
    style: "unit", unit: units[power], unitDisplay: "short", maximumFractionDigits: power > 1 ? 1 : 0,
  });
}

/** "12 s", "3 min 5 s": a length of time. */
export function duration(seconds) {
  const unit = (value, name) => value.toLocaleString(current, {style: "unit", unit: name, unitDisplay: "narrow"});
  if (seconds < 60) return unit(Math.round(seconds * 10) / 10, "second");
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  const parts = hours ? [unit(hours, "hour"), unit(minutes, "minute")] : [unit(minutes, "minute"), unit(rest, "second")];
  return parts.join(" ");
}

/** "27 Nov 2026, 10:15": a moment. */
export function moment(iso) {
  return new Date(iso).toLocaleString(current, {dateStyle: "medium", timeStyle: "short"});
}
