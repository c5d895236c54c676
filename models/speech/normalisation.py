"""Text normalisation for speech synthesis."""

import re
import unicodedata

from models.speech.markup import readable
from models.speech.numerals import spell_numbers as _spell_numbers
from models.speech.symbol_words import symbol_words

_WHITE_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+([,.;:!?])")
_HOST = re.compile(r"(?<=[a-zA-Z\d-])\.(?=[a-zA-Z]{2,})")


def normalise(text: str, language: str, *, spell_numbers: bool) -> str:
    """Make a text, or one clause of it, ready for a synthesiser.

    Markup, controls and emoji go; an address of the web becomes its host's name; all white space becomes one space.

    Args:
        text: As it was asked for.
        language: Its code; only what stands before the first ``-`` counts.
        spell_numbers: Whether numbers and signs become words, for a synthesiser that can't read them itself. Digits
            stay where the words of a language are not known.

    Returns:
        Text in Unicode's form NFKC; empty where nothing can be spoken.
    """
    base = language.lower().replace("_", "-").split("-")[0]
    base = "zh" if base in ("cmn", "yue") else base
    words = symbol_words(base)
    text = readable(text, words)
    if spell_numbers:
        text = _HOST.sub(f" {words.dot} ", text) if words.dot else text
        text = _spell_numbers(text, base)
        text = text.replace("&", f" {words.ampersand} ") if words.ampersand else text
    text = _SPACE_BEFORE_MARK.sub(r"\1", _WHITE_SPACE.sub(" ", text)).strip()
    return text if any(map(_spoken, text)) else ""


def _spoken(character: str) -> bool:
    return character.isalnum() or unicodedata.category(character)[0] == "M" or unicodedata.category(character) == "Sc"
