"""Stress marks in Russian texts: as people write them, and as engines take them.

A text may carry ``+`` before the stressed vowel (``з+амок``, the convention of Silero's and other synthesisers) or
U+0301 after it (``за́мок``, that of dictionaries). Inside the system it is ``+``.
"""

# ruff: noqa: RUF001, RUF003 - Cyrillic letters
import re

VOWELS = "аеёиоуыэюя"

# A plus between two letters, or at the head of a word; "2+а" and "x + у" are sums.
_MARK = re.compile(rf"(?<![\w+])\+(?=[{VOWELS}][а-яё])|(?<=[а-яё])\+(?=[{VOWELS}])", re.IGNORECASE)
_WORD = re.compile(rf"(?<![а-яё])((?:[а-яё]*\+[{VOWELS}][а-яё]*)(?![+а-яё]))", re.IGNORECASE)
_ACUTE = re.compile(rf"([{VOWELS}])[\u0301\u0341]", re.IGNORECASE)
_OTHER_ACUTE = re.compile(r"(?<=[а-яё])[\u0301\u0341]", re.IGNORECASE)


def stress_as_plus(text: str) -> str:
    """Return a text with U+0301 after a Cyrillic vowel as ``+`` before it; after other letters it goes."""
    return _OTHER_ACUTE.sub("", _ACUTE.sub(r"+\1", text))


def spell_plus(text: str, word: str) -> str:
    """Return a text whose every ``+`` that marks no stress is a word."""
    return re.sub(rf"({_MARK.pattern})|\+", lambda found: found[1] or f" {word} ", text, flags=re.IGNORECASE)


def without_stress(text: str) -> str:
    """Return a text without its marks of stress; any other ``+`` stays."""
    return _MARK.sub("", text)


def stressed_words(text: str) -> list[str]:
    """Split a text into words with one ``+`` before a vowel, at odd indices, and what is between them."""
    return _WORD.split(text)
