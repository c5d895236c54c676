"""Spoken names of symbols in the most common languages."""

# ruff: noqa: RUF001 - these are other alphabets
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SymbolWords:
    """The words of one language.

    Attributes:
        percent: ``%`` after a number.
        dot: ``.`` in an address.
        at: ``@`` in an address.
        ampersand: ``&`` between words.
        minus: ``-`` before a number.
        degrees: ``°`` after a number.
        number: ``№`` before a number.
    """

    percent: str
    dot: str
    at: str
    ampersand: str
    minus: str
    degrees: str
    number: str


_WORDS = {
    "de": SymbolWords("Prozent", "Punkt", "at", "und", "minus", "Grad", "Nummer"),
    "en": SymbolWords("percent", "dot", "at", "and", "minus", "degrees", "number"),
    "es": SymbolWords("por ciento", "punto", "arroba", "y", "menos", "grados", "número"),
    "fr": SymbolWords("pour cent", "point", "arobase", "et", "moins", "degrés", "numéro"),
    "it": SymbolWords("percento", "punto", "chiocciola", "e", "meno", "gradi", "numero"),
    "kk": SymbolWords("пайыз", "нүкте", "ат", "және", "минус", "градус", "нөмір"),
    "pt": SymbolWords("por cento", "ponto", "arroba", "e", "menos", "graus", "número"),
    "ru": SymbolWords("процентов", "точка", "собака", "и", "минус", "градусов", "номер"),
    "tr": SymbolWords("yüzde", "nokta", "et", "ve", "eksi", "derece", "numara"),
    "uk": SymbolWords("відсотків", "крапка", "собака", "і", "мінус", "градусів", "номер"),
    "zh": SymbolWords("百分之", "点", "艾特", "和", "负", "度", "第"),
}
_NONE = SymbolWords("", "", "", "", "", "", "")

# By the form after five: the form after one, and that after two or a fraction.
_COUNTED = {
    "процентов": ("процент", "процента"),
    "градусов": ("градус", "градуса"),
    "відсотків": ("відсоток", "відсотка"),
    "градусів": ("градус", "градуса"),
}

PERCENT_FIRST = frozenset({"tr", "zh"})
"""Languages that say the percent before the number."""


def symbol_words(language: str) -> SymbolWords:
    """Return the words of a language, given by its ISO 639-1 code; empty ones where it is not known."""
    return _WORDS.get(language, _NONE)


def counted(number: str, word: str) -> str:
    """Return the form that a word takes after a number: Slavic languages have three."""
    if word not in _COUNTED:
        return word
    one, few = _COUNTED[word]
    if not number.isdigit():
        return few
    tens, units = int(number[-2:]) // 10, int(number[-1])
    if tens == 1 or units == 0 or units >= 5:
        return word
    return one if units == 1 else few
