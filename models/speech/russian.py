"""Russian as it is read aloud: numbers, dates, units and abbreviations become words that agree with their neighbours.

The grammar is ``ru-normalizr``'s, which inflects with pymorphy3's dictionary. What it reads badly is prepared for it
here: times of day, telephone numbers, dates that stand alone, and runs of digits and signs that mean nothing.
"""

# ruff: noqa: RUF001 - Cyrillic letters
import re
from functools import cache
from typing import Any

from models.speech.stress import spell_plus

_PLAIN = re.compile(r"[ ,!?:;«»\"'()…–—+\u0300-\u036fа-яё-]*[.!?…]*[»\")]*", re.IGNORECASE)
_CAPITALS = re.compile(r"[А-ЯЁ]{2}")
_MEANINGLESS = re.compile(r"[^\sA-Za-zА-Яа-яЁё]{33,}")
# The grammar takes time with the square of a word's length.
_PIECES = re.compile(r".{1,1000}(?!\S)|.{1,1000}", re.DOTALL)
_TIME = re.compile(r"(?<![\d:.,/-])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])")
_SCORE_BEFORE = re.compile(r"(?:сч[её]т\w*|соотношени\w*|пропорци\w*)\s+$", re.IGNORECASE)
_PHONE = re.compile(
    r"(?:\bтел\. ?)?(?<![\d+.,-])(\+7|8)[ -]?(?:\((\d{3})\)|(\d{3}))[ -]?(\d{3})[ -]?(\d{2})[ -]?(\d{2})(?![\d-])"
)
_LONE_DATE = re.compile(
    r"((?:^|[:;—–(])\s*)([0-3]?\d)\.(0?[1-9]|1[0-2])\.(\d{4})(?: ?г(?:ода|\.))?(?=\s*(?:$|[;!?)]|\.\s*$))"
)
_MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()


def spell_russian(text: str) -> str:
    """Write a text as it is read aloud.

    Args:
        text: One clause in Unicode's form NFKC; stress marks are ``+`` before the vowel and stay.

    Returns:
        Cyrillic words and punctuation. Latin words are transcribed (``iPhone``), letters of abbreviations are named.
    """
    # Most clauses are words and commas: they need no dictionary.
    if not _PLAIN.fullmatch(text) or _CAPITALS.search(text):
        text = _with_words(text)
    return spell_plus(text, "плюс")


def _with_words(text: str) -> str:
    text = _MEANINGLESS.sub(lambda found: _digit_by_digit(found[0]), text)
    text = _PHONE.sub(_phone, text)
    text = _LONE_DATE.sub(_date, text)
    text = _TIME.sub(_time, text)
    return " ".join(_normaliser().normalize(piece) for piece in _PIECES.findall(text))


@cache
def _normaliser() -> Any:
    # Its dictionary takes half a second to load.
    from ru_normalizr import NormalizeOptions, Normalizer

    return Normalizer(
        NormalizeOptions.tts(
            remove_links=False,
            enable_url_normalization=False,
            letter_vowel_mode="single",
            initials_pause_mode="preserve",
        )
    )


@cache
def _digits() -> dict[str, str]:
    return {str(digit): _cardinal(digit) for digit in range(10)}


def _cardinal(number: int) -> str:
    from num2words import num2words  # type: ignore[import-untyped]

    return str(num2words(number, lang="ru"))


def _digit_by_digit(text: str) -> str:
    return f" {' '.join(_digits()[character] for character in text if character in '0123456789')} "


def _group(digits: str) -> str:
    if digits[0] == "0":
        return " ".join(_digits()[digit] for digit in digits)
    return _cardinal(int(digits))


def _phone(found: re.Match[str]) -> str:
    first = "плюс семь" if found[1] == "+7" else "восемь"
    label = "телефон " if found[0][0].isalpha() else ""
    return label + ", ".join([first, *(_group(group) for group in found.groups()[1:] if group)])


def _date(found: re.Match[str]) -> str:
    """Name a date that is no part of a sentence: the first of May, where a sentence says "on the first"."""
    from num2words import num2words

    day, month = int(found[2]), int(found[3])
    if not 1 <= day <= 31:
        return found[0]
    name = num2words(day, lang="ru", to="ordinal", case="n", gender="n")
    return f"{found[1]}{name} {_MONTHS[month - 1]} {found[4]} года"


def _time(found: re.Match[str]) -> str:
    if _SCORE_BEFORE.search(found.string[max(0, found.start() - 20) : found.start()]):
        return found[0]
    hours, minutes = int(found[1]), int(found[2])
    counted = f"{hours} {_form(hours, 'час', 'часа', 'часов')}"
    return f"{counted} {minutes} {_form(minutes, 'минута', 'минуты', 'минут')}" if minutes else counted


def _form(number: int, one: str, few: str, many: str) -> str:
    if number % 100 // 10 == 1 or not 1 <= number % 10 <= 4:
        return many
    return one if number % 10 == 1 else few
