"""Text normalisation for speech synthesis."""

import re
import unicodedata

from models.speech.english import read_english
from models.speech.markup import readable
from models.speech.numerals import spell_numbers as _spell_numbers
from models.speech.russian import spell_russian
from models.speech.stress import stress_as_plus, without_stress
from models.speech.symbol_words import symbol_words

_ALWAYS_SPELLED = frozenset({"en", "ru", "zh"})
"""Languages whose numbers are spelled for every engine: no engine reads their dates, units and abbreviations well, and
eSpeak NG says the digits of Mandarin without their tones."""

_WHITE_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+([,.;:!?])")
_HOST = re.compile(r"(?<=[a-zA-Z\d-])\.(?=[a-zA-Z]{2,})")


def normalise(text: str, language: str, *, spell_numbers: bool, stress_marks: bool = False) -> str:
    """Make a text, or one clause of it, ready for a synthesiser.

    Markup, controls and emoji go; an address of the web becomes its host's name; all white space becomes one space. In
    English and Russian, dates, units, abbreviations and the like become words, whatever the synthesiser reads.

    Args:
        text: As it was asked for.
        language: Its code; what stands after the first ``-`` decides only how dates are read.
        spell_numbers: Whether numbers and signs become words, for a synthesiser that can't read them itself. Digits
            stay where the words of a language are not known.
        stress_marks: Whether the synthesiser takes stress marks of Russian, ``+`` before the vowel. A text may have
            them so, or as U+0301 after the vowel; they go where this is false.

    Returns:
        Text in Unicode's form NFKC; empty where nothing can be spoken. What is normalised once is not changed again.
    """
    locale = language.lower().replace("_", "-")
    base = locale.split("-")[0]
    base = "zh" if base in ("cmn", "yue") else base
    words = symbol_words(base)
    text = readable(text, words)
    if spell_numbers or base in _ALWAYS_SPELLED:
        text = _HOST.sub(f" {words.dot} ", text) if words.dot else text
        text = _read(text, base, locale)
        text = _spell_numbers(text, base)
        text = text.replace("&", f" {words.ampersand} ") if words.ampersand else text
    text = without_stress(text) if base == "ru" and not stress_marks else text
    text = _SPACE_BEFORE_MARK.sub(r"\1", _WHITE_SPACE.sub(" ", text)).strip()
    return text if any(map(_spoken, text)) else ""


def _read(text: str, base: str, locale: str) -> str:
    match base:
        case "en":
            return read_english(text, locale)
        case "ru":
            return spell_russian(stress_as_plus(text).replace("&", " и "))
    return text


def _spoken(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M" or unicodedata.category(character) == "Sc"
