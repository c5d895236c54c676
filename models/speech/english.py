"""English as it is read aloud: dates, times, units, ranges, abbreviations, Roman numerals and signs become words.

Numbers that are left, years, ordinals and amounts of money are read by ``models.speech.numerals``.
"""

# ruff: noqa: RUF001 - dashes and signs
import re
from collections.abc import Callable

from models.speech.english_words import (
    ABBREVIATIONS,
    MAGNITUDES,
    MONTHS,
    NUMBERED_BY_ROMAN,
    OPERATORS,
    SHORT_MONTHS,
    SOVEREIGNS,
    TITLES,
    UNITS,
)

_DAY_FIRST = frozenset({"en-gb", "en-au", "en-nz", "en-ie", "en-in", "en-za"})

_NUMBER = r"(?<![\d.,])(?>\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,15})?)"
_MONTH = "|".join((*MONTHS, *(rf"{month}\b\.?" for month in SHORT_MONTHS)))
_DAY = r"([0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(1\d{3}|20\d\d)"
_MEANINGLESS = re.compile(r"[^\sA-Za-z]{33,}")
_ROMAN = r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

_ISO_DATE = re.compile(r"(?<![\d-])(\d{4})-(0\d|1[0-2])-([0-3]\d)(?![\d-])")
_SLASHED_DATE = re.compile(rf"(?<![\d/.])(\d{{1,2}})[/.](\d{{1,2}})[/.]{_YEAR}(?![\d/])")
_DAY_MONTH = re.compile(rf"(?<![\d.,/-])(?:the )?{_DAY} (?:of )?({_MONTH})(?:,? {_YEAR})?(?![\w-])")
_MONTH_DAY = re.compile(rf"\b({_MONTH}) {_DAY}(?:,? {_YEAR})?(?![\d.:,/%-]*\d)(?![\w%])")
_TIME = re.compile(
    r"(?<![\d:.,/-])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(?:\s?([ap])\.?m\b(\.(?=\s+[a-z]|,))?)?", re.IGNORECASE
)
_HOUR = re.compile(r"(?<![\d:.,/-])(1[0-2]|[1-9])\s?([ap])\.?m\b(\.(?=\s+[a-z]|,))?", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w+.-])(?:\+(\d{1,3})[ .-]?)?(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\w-])"
    r"|(?<![\w+.])\+\d{1,3}(?:[ -]\(?\d{2,4}\)?){2,5}(?![\w-])"
)
_DECADE = re.compile(r"(?<![\d.,])(1\d|20)?(\d0)['’]?s\b")
_RANGE = re.compile(rf"(?<![\w.,/–-])(\$?)({_NUMBER})\s?[-–—]\s?\$?({_NUMBER})(?![\d–]|[-/]\d|[.,]\d)")
_FRACTION = re.compile(r"(?<![\d/.,])(?:(\d{1,3}) )?(\d{1,2})[/⁄](\d{1,2})(?![\d/.,]\d|\d)")
# Others are no fractions: 9/11, 1/31.
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20})
_SHORT_MAGNITUDE = re.compile(rf"([$€£¥]\s?)({_NUMBER})\s?(bn|[mk]|tn)\b", re.IGNORECASE)
_UNIT = re.compile(rf"({_NUMBER})[ -]?({'|'.join(sorted(map(re.escape, UNITS), key=len, reverse=True))})(?![\w²³/])")
_TITLE = re.compile(
    rf"\b({'|'.join(TITLES)})(?:\.|(?<=Dr)|(?<=Mr)|(?<=Mrs)|(?<=Ms)|(?<=Prof))(?=\s+(?:[A-Z]|and (?:Mrs|Ms|Mr|Dr)\b))"
)
_SAINT = re.compile(r"\bSt\. ?(?=[A-Z][a-z])(?!(?:Then|The|It|He|She|We|They|In|On|At|And|But)\b)")
_STREETS = {
    "St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Dr": "Drive", "Ln": "Lane", "Sq": "Square",
}  # fmt: skip
_ADDRESS = re.compile(r"\b((?:\d+ )?[A-Z][a-z]+ )(St|Ave|Blvd|Rd|Dr|Ln|Sq)\b(\.?)(?=[\s,;)]|$)")
_ABBREVIATION = re.compile(
    rf"(?<![\w.])({'|'.join(re.escape(name) for name in sorted(ABBREVIATIONS, key=len, reverse=True))})(?!\w)"
)
_NUMERO = re.compile(r"\b[Nn](os?)\.\s?(?=\d)")
_PAGES = re.compile(r"\b(pp?)\.\s?(?=\d)")
_HASH = re.compile(r"#\s?(?=\d)")
_NUMBERED = re.compile(rf"\b({'|'.join(NUMBERED_BY_ROMAN)}) (?=[IVXLC])({_ROMAN})\b")
_SOVEREIGN = re.compile(rf"\b({'|'.join(SOVEREIGNS)}) (?=[IVX])({_ROMAN})\b(?!\.)")
_OPERATOR = re.compile(rf"(?<=[\w)%])\s?([{re.escape(''.join(OPERATORS))}])\s?(?=[\w(])")
_INCHES = re.compile(rf"(?<= feet )({_NUMBER})[ -]?in\b")
_HYPHEN = re.compile(r"(?<=\d)-(?=[A-Za-z])|(?<=[A-Za-z])-(?=\d)")
_POINT = re.compile(r"(?<![\w.])\.(?=\d)")
_TIMES = re.compile(r"(?<=\d)\s?[x×*]\s?(?=\d)")


def read_english(text: str, locale: str) -> str:
    """Write out what stands for words in a text; plain numbers stay digits.

    A date of two numbers and a year is month first, as in the United States, unless the locale writes the day first
    or the first number is no month: 12/04/1961 is the fourth of December in ``en`` and ``en-us``, the twelfth of April
    in ``en-gb``.

    Args:
        text: One clause in Unicode's form NFKC.
        locale: Code in lower case, such as ``en``, ``en-us``.
    """
    for pattern, write in _RULES:
        text = pattern.sub(write, text)
        if pattern is _ISO_DATE:
            text = _SLASHED_DATE.sub(lambda found: _slashed_date(found, locale), text)
    return text


def _meaningless(found: re.Match[str]) -> str:
    digits = [character for character in found[0] if character in "0123456789"]
    return f" {' '.join(digits)} " if digits else " "


def _num2words(number: int, to: str = "cardinal") -> str:
    from num2words import num2words  # type: ignore[import-untyped]

    return str(num2words(number, to=to))


def _ordinal(number: int) -> str:
    return _num2words(number, to="ordinal")


def _year(year: str | None, before: str) -> str:
    return before + _num2words(int(year), to="year") if year else ""


def _month(name: str) -> str:
    return MONTHS[[month[:3] for month in MONTHS].index(name[:3])]


def _iso_date(found: re.Match[str]) -> str:
    month, day = int(found[2]), int(found[3])
    if not 1 <= month or not 1 <= day <= 31:
        return found[0]
    return f"{MONTHS[month - 1]} {_ordinal(day)}{_year(found[1], ', ')}"


def _slashed_date(found: re.Match[str], locale: str) -> str:
    first, second = int(found[1]), int(found[2])
    day_first = locale in _DAY_FIRST or "." in found[0] or first > 12
    day, month = (first, second) if day_first and second <= 12 else (second, first)
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        return found[0]
    if locale in _DAY_FIRST:
        return f"the {_ordinal(day)} of {MONTHS[month - 1]}{_year(found[3], ' ')}"
    return f"{MONTHS[month - 1]} {_ordinal(day)}{_year(found[3], ', ')}"


def _day_month(found: re.Match[str]) -> str:
    day = int(found[1])
    if not 1 <= day <= 31:
        return found[0]
    return f"the {_ordinal(day)} of {_month(found[2])}{_year(found[3], ' ')}"


def _month_day(found: re.Match[str]) -> str:
    day = int(found[2])
    if not 1 <= day <= 31:
        return found[0]
    return f"{_month(found[1])} {_ordinal(day)}{_year(found[3], ', ')}"


def _time(found: re.Match[str]) -> str:
    hours, minutes = int(found[1]), int(found[2])
    half = f" {found[3].upper()}M" if found[3] else ""
    if minutes:
        said = f"{_num2words(hours)} {'oh ' if minutes < 10 else ''}{_num2words(minutes)}"
    elif half or not 1 <= hours <= 12:
        said = _num2words(hours) + ("" if half else " hundred" if hours else " hours")
    else:
        said = f"{_num2words(hours)} o'clock"
    return said + half


def _phone(found: re.Match[str]) -> str:
    groups = re.findall(r"\d+", found[0])
    plus = "plus " if found[0].startswith("+") else ""
    return plus + ", ".join(" ".join(_num2words(int(digit)) for digit in group) for group in groups)


def _decade(found: re.Match[str]) -> str:
    if found[1] == "20" and found[2] == "00":
        return "two thousands"
    tens = _num2words(int(found[2])) if int(found[2]) else "hundred"
    plural = re.sub("y$", "ie", tens) + "s"
    return f"{_num2words(int(found[1]))} {plural}" if found[1] else plural


def _range(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]} to {found[1]}{found[3]}"


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found[2]), int(found[3])
    if not 0 < above < below or below not in _DENOMINATORS:
        return found[0]
    named = {2: "half", 4: "quarter"}.get(below) or _ordinal(below)
    said = f"{_num2words(above)} {named}{'s' if above > 1 else ''}"
    if found[1]:
        return f"{found[1]} and {'a half' if (above, below) == (1, 2) else said}"
    return said


def _unit(found: re.Match[str]) -> str:
    one, many = UNITS[found[2]]
    return f"{found[1]} {one if found[1] == '1' else many}"


def _abbreviation(found: re.Match[str]) -> str:
    ends = found[0].endswith(".") and not found.string[found.end() :].strip()
    return ABBREVIATIONS[found[1]] + ("." if ends else "")


def _address(found: re.Match[str]) -> str:
    ends = found[3] and not found.string[found.end() :].strip()
    return found[1] + _STREETS[found[2]] + ("." if ends else "")


def _roman(numeral: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


_Write = str | Callable[[re.Match[str]], str]
_RULES: tuple[tuple[re.Pattern[str], _Write], ...] = (
    (_MEANINGLESS, _meaningless),
    (_PHONE, _phone),
    (_ISO_DATE, _iso_date),
    (_DAY_MONTH, _day_month),
    (_MONTH_DAY, _month_day),
    (_TIME, _time),
    (_HOUR, lambda found: f"{_num2words(int(found[1]))} {found[2].upper()}M"),
    (_NUMERO, lambda found: "numbers " if found[1] == "os" else "number "),
    (_PAGES, lambda found: "pages " if found[1] == "pp" else "page "),
    (_HASH, "number "),
    (_SAINT, "Saint "),
    (_TITLE, lambda found: TITLES[found[1]]),
    (_ADDRESS, _address),
    (_ABBREVIATION, _abbreviation),
    (_NUMBERED, lambda found: f"{found[1]} {_num2words(_roman(found[2]))}"),
    (_SOVEREIGN, lambda found: f"{found[1]} the {_ordinal(_roman(found[2]))}"),
    (_DECADE, _decade),
    (_SHORT_MAGNITUDE, lambda found: f"{found[1]}{found[2]} {MAGNITUDES[found[3].lower()]}"),
    (_FRACTION, _fraction),
    (_RANGE, _range),
    (_UNIT, _unit),
    (_INCHES, lambda found: f"{found[1]} {'inch' if found[1] == '1' else 'inches'}"),
    (_HYPHEN, " "),
    (_POINT, "0."),
    (_TIMES, " times "),
    (_OPERATOR, lambda found: f" {OPERATORS[found[1]]} "),
)
