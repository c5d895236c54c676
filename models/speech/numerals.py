"""Numbers in a text, spelled out: amounts of money, percents, years, ordinals and all others.

The words come from ``num2words`` where it knows the language, and from ``models.speech.mandarin`` for Chinese; other
languages keep their digits.
"""

# ruff: noqa: RUF001 - these are other alphabets
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from models.speech.mandarin import spell as spell_mandarin
from models.speech.mandarin import spell_digits
from models.speech.symbol_words import PERCENT_FIRST, counted, symbol_words

MAX_DIGITS = 15
"""Longer numbers are no quantities: they are read digit by digit."""

_COMMA_DECIMALS = frozenset(
    "az be bg ca cs da de el es fi fr hr hu hy id is it ka kk lt lv nl no pl pt ro ru sk sl sr sv tr uk uz vi".split()
)
_SPACED_THOUSANDS = frozenset("be bg cs fi fr hu kk no pl ru sk sv uk uz".split())
# What num2words counts to in all languages; only in some of them further. It never ends in Amharic.
_SAFE_DIGITS = 9
_SAFE_DECIMALS = 3
_LARGE_NUMBERS = frozenset({"de", "en", "es", "fr", "it", "kz", "pt_BR", "ru", "uk"})
_UNUSABLE = frozenset({"am"})
_NUM2WORDS = {"kk": "kz", "nb": "no", "pt": "pt_BR"}
_UNSPACED = frozenset({"ja", "th", "zh"})
_CURRENCIES = {"R$": "BRL", "$": "USD", "€": "EUR", "£": "GBP", "¥": "CNY", "₽": "RUB", "₸": "KZT"}
_MANDARIN_CURRENCIES = {
    "USD": "美元",
    "EUR": "欧元",
    "GBP": "英镑",
    "CNY": "元",
    "RUB": "卢布",
    "KZT": "坚戈",
    "BRL": "雷亚尔",
}
_MAGNITUDES = {
    "en": "thousand|million|billion|trillion",
    "ru": r"тыс\w*|млн|млрд|миллион\w*|миллиард\w*",
    "kk": "мың|млн|млрд|миллион|миллиард",
    "zh": "[万亿]+",
}
_OPENERS = " ([{\"'«“„"
_CLOSERS = " .,;:!?)]}\"'»”…"
# A whole number of the text or none, without a second try: a text of digits takes no longer than another.
_NUMBER = r"(?<!\d)(?<!\d[.,])(?>\d+(?:[.,]\d+)*)"


@dataclass(frozen=True)
class _Speller:
    """Spells the numbers of one language; ``spell`` takes ASCII digits with at most one ``.`` among them."""

    language: str
    spell: Callable[[str], str]
    money: Callable[[str, str], str]

    def read(self, text: str) -> str:
        text = self._join_thousands(text)
        for rule in (self._negatives, self._amounts, self._percents, self._special, self._others):
            text = rule(text)
        return text

    def _join_thousands(self, text: str) -> str:
        if self.language not in _SPACED_THOUSANDS:
            return text
        return re.sub(r"(?<![\d.,])\d{1,3}(?: \d{3})+(?![\d])", lambda found: found[0].replace(" ", ""), text)

    def _amounts(self, text: str) -> str:
        signs = "|".join(map(re.escape, _CURRENCIES))
        magnitude = rf"(?:\s?({_MAGNITUDES.get(self.language, '(?!)')})(?![a-zа-я])\.?)?"

        def spoken(sign: str, number: str, magnitude: str | None) -> str:
            plain = self._plain(number)
            currency = "JPY" if (sign, self.language) == ("¥", "ja") else _CURRENCIES[sign]
            if plain is None:
                return self._joined(self._words(number), currency)
            if magnitude:
                return self._joined(self.spell(plain), magnitude, self._unit(currency))
            return self._joined(self.money(plain, currency))

        text = re.sub(rf"({signs})\s?({_NUMBER}){magnitude}", lambda found: spoken(found[1], found[2], found[3]), text)
        return re.sub(rf"({_NUMBER}){magnitude}\s?({signs})", lambda found: spoken(found[3], found[1], found[2]), text)

    def _joined(self, *words: str) -> str:
        return "".join(words) if self.language in _UNSPACED else f" {' '.join(words)} "

    def _unit(self, currency: str) -> str:
        return self.money("5", currency).removeprefix(self.spell("5")).strip()

    def _percents(self, text: str) -> str:
        words = symbol_words(self.language)
        if words.percent:
            text = re.sub(rf"({_NUMBER})\s?%|%({_NUMBER})", lambda found: self._with(found, words.percent), text)
        if words.degrees:
            text = re.sub(rf"({_NUMBER})\s?°(?:\s?[CС]\b)?", lambda found: self._with(found, words.degrees), text)
        return text

    def _with(self, found: re.Match[str], unit: str) -> str:
        digits = next(group for group in found.groups() if group)
        number = self._words(digits)
        unit_first = "%" in found[0] and self.language in PERCENT_FIRST
        unit = counted(digits, unit)
        return self._joined(unit, number) if unit_first else self._joined(number, unit)

    def _special(self, text: str) -> str:
        match self.language:
            case "en":
                return _english(text)
            case "zh":
                year = re.compile(r"(?<!\d)(\d{4})(?=\s?年)")
                return year.sub(lambda found: spell_digits(found[1]), text)
        return text

    def _negatives(self, text: str) -> str:
        minus = symbol_words(self.language).minus
        gap = "" if self.language in _UNSPACED else " "
        # Where words are not apart, a letter before the sign says nothing.
        letters = "A-Za-z0-9" if self.language in _UNSPACED else r"\w"
        return re.sub(rf"(?<![{letters}.,)-])[-−](?=\d)", minus + gap, text) if minus else text

    def _others(self, text: str) -> str:
        # The dash of a range and the colon of a time are not heard.
        text = re.sub(r"(?<=\d)\s?[-–—:/⁄](?=\d)", " ", text)
        return re.sub(_NUMBER, self._apart, text)

    def _apart(self, found: re.Match[str]) -> str:
        number = self._words(found[0])
        if self.language in _UNSPACED:
            return number
        before = found.string[found.start() - 1 : found.start()]
        after = found.string[found.end() : found.end() + 1]
        return " " * (before not in _OPENERS) + number + " " * (after not in _CLOSERS)

    def _words(self, number: str) -> str:
        plain = self._plain(number)
        if plain is not None:
            return self._quantity(plain)
        separator = "" if self.language in _UNSPACED else " "
        return separator.join(self._quantity(part) for part in re.split(r"[.,]", number))

    def _quantity(self, plain: str) -> str:
        whole = plain.partition(".")[0]
        if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
            return ("" if self.language in _UNSPACED else " ").join(map(self.spell, plain.replace(".", "")))
        return self.spell(plain)

    def _plain(self, number: str) -> str | None:
        """Return a number with ``.`` for its decimals and no other sign; None where it is no quantity (1.2.3)."""
        decimal, thousands = (",", ".") if self.language in _COMMA_DECIMALS else (".", ",")
        groups = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d+)?"
        grouped_by_dots = thousands == "." and self.language in _SPACED_THOUSANDS
        if re.fullmatch(groups, number) and not grouped_by_dots:
            plain = number.replace(thousands, "").replace(decimal, ".")
        elif re.fullmatch(r"\d+(?:[.,]\d+)?", number):
            plain = number.replace(",", ".")
        else:
            return None
        return plain if len(plain) <= MAX_DIGITS else None


def spell_numbers(text: str, language: str) -> str:
    """Spell out the numbers of a text.

    Args:
        text: In Unicode's form NFKC.
        language: ISO 639-1 code; of one that has no words for numbers here, the text is returned as it is.
    """
    speller = _speller(language)
    return speller.read(text) if speller else text


@cache
def _speller(language: str) -> _Speller | None:
    if language == "zh":
        return _Speller(language, spell_mandarin, _mandarin_money)
    from num2words import CONVERTER_CLASSES  # type: ignore[import-untyped]

    name = _NUM2WORDS.get(language, language)
    if name not in CONVERTER_CLASSES or name in _UNUSABLE:
        return None
    return _Speller(
        language, lambda number: _cardinal(number, name), lambda number, unit: _money(number, unit, language)
    )


def _cardinal(number: str, name: str) -> str:
    from num2words import num2words

    whole, _point, fraction = number.partition(".")
    if len(whole) > (MAX_DIGITS if name in _LARGE_NUMBERS else _SAFE_DIGITS):
        return " ".join(str(num2words(int(digit), lang=name)) for digit in whole + fraction)
    if not fraction:
        return str(num2words(int(whole), lang=name)).replace(",", "")
    first, further = fraction[:_SAFE_DECIMALS], fraction[_SAFE_DECIMALS:]
    if name == "tr":
        digits = " ".join(str(num2words(int(digit), lang=name)) for digit in fraction)
        return f"{num2words(int(whole), lang=name)} virgül {digits}"
    rest = [str(num2words(int(digit), lang=name)) for digit in further]
    try:
        said = str(num2words(float(f"{whole}.{first}"), lang=name)).replace(",", "")
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        # Not every language of num2words has decimals.
        return " ".join(str(num2words(int(digit), lang=name)) for digit in whole + fraction)
    return " ".join([said, *rest])


def _money(number: str, currency: str, language: str) -> str:
    """Say an amount; the currency's code stands for a name that is not known."""
    from num2words import num2words

    name = "pt" if language == "pt" else _NUM2WORDS.get(language, language)
    plain = f"{_cardinal(number, _NUM2WORDS.get(language, language))} {currency}"
    if len(number.partition(".")[0]) > _SAFE_DIGITS:
        return plain
    try:
        said = str(num2words(round(float(number), 2), to="currency", currency=currency, lang=name, separator=" |"))
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        # Not every language of num2words has every currency.
        return plain
    # English has a comma after the thousands.
    whole, _separator, cents = said.replace(",", "").partition(" |")
    return whole if float(number).is_integer() or not cents else f"{whole} {cents.strip()}"


def _mandarin_money(number: str, currency: str) -> str:
    return spell_mandarin(number) + _MANDARIN_CURRENCIES[currency]


def _english(text: str) -> str:
    from num2words import num2words

    text = re.sub(r"\b(\d{1,15})(?:st|nd|rd|th)\b", lambda found: str(num2words(int(found[1]), to="ordinal")), text)
    year = re.compile(r"(?<![\d.,:/$-])\b(1[1-9]\d\d|20\d\d)\b(?![.,:/]?\d)")
    return year.sub(lambda found: str(num2words(int(found[1]), to="year")), text)
