"""Division of texts into sentences, and their reassembly with everything between the sentences unchanged."""

# ruff: noqa: RUF001 - punctuation of many languages
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# In UTF-8, whose length grows with a model's tokens in scripts of one, two and three bytes alike. A hundred and fifty
# tokens or so: well inside what the models take and write at once.
MAX_SENTENCE_BYTES = 600
# A sentence is looked for in stretches of a line as long as this at most.
_MAX_LINE_CHARS = 20_000
_LINE = re.compile(r"[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
# Indentation; bullets, numbers, quotes and headings of plain text and Markdown.
_BULLETS = re.compile(r"\s*(?:(?:[-*+•‣◦▪–—>#]+|\d{1,3}[.)])\s+)*")
_CLAUSE = re.compile(r"[;:,،؛、，；：–—]+(?:\s+|(?<=[、，；：]))|\s+")


@dataclass(frozen=True)
class Piece:
    """A piece of a text; the pieces in order are the whole text.

    Attributes:
        text: Never empty.
        translatable: Whether it is a sentence, or a clause of a long one, with letters and without blanks around it.
    """

    text: str
    translatable: bool


def split(text: str, language: str, max_bytes: int = MAX_SENTENCE_BYTES) -> list[Piece]:
    """Cut a text into sentences and what is between them.

    Line breaks, blank lines, indentation, bullets, and spaces between sentences are pieces of their own, and so is what
    has no letters: numbers, rules, emoji. A sentence longer than ``max_bytes`` is cut at its clauses, else at spaces,
    else anywhere.

    Args:
        text: Of any length.
        language: ISO 639-1 code, for its abbreviations.
        max_bytes: Longest sentence, in bytes of UTF-8; at least 4.
    """
    pieces: list[Piece] = []
    position = 0
    for line in _LINE.finditer(text):
        if position < line.start():
            pieces.append(Piece(text[position : line.start()], False))
        for sentence in _sentences(line[0], language):
            pieces.extend(_framed(sentence, max_bytes))
        position = line.end()
    if position < len(text):
        pieces.append(Piece(text[position:], False))
    return pieces


def join(pieces: list[Piece], translations: Mapping[str, str]) -> str:
    """Put a text together, its sentences replaced.

    Args:
        pieces: What `split` returned.
        translations: By sentence.
    """
    return "".join(translations[piece.text] if piece.translatable else piece.text for piece in pieces)


def has_letters(text: str) -> bool:
    """Tell whether there is anything in a text to translate."""
    return any(character.isalpha() for character in text)


def _sentences(line: str, language: str) -> Iterator[str]:
    from sentencex import segment

    bullets = _BULLETS.match(line)
    assert bullets is not None
    # They go before the first sentence, for they may look like one: "1. First."
    yield bullets[0]
    for start in range(bullets.end(), len(line), _MAX_LINE_CHARS):
        yield from segment(language, line[start : start + _MAX_LINE_CHARS])


def _framed(sentence: str, max_bytes: int) -> Iterator[Piece]:
    if not has_letters(sentence):
        if sentence:
            yield Piece(sentence, False)
        return
    for part in _clauses(sentence, max_bytes):
        body = part.strip()
        start = part.index(body)
        for text, translatable in (
            (part[:start], False),
            (body, has_letters(body)),
            (part[start + len(body) :], False),
        ):
            if text:
                yield Piece(text, translatable)


def _clauses(sentence: str, max_bytes: int) -> Iterator[str]:
    """Cut off what fits, at the last end of a clause in it, until the rest fits."""
    while len(sentence.encode()) > max_bytes:
        fitting = sentence.encode()[:max_bytes].decode("utf-8", "ignore")
        ends = [(found[0].isspace(), found.end()) for found in _CLAUSE.finditer(fitting)]
        # A comma near the start would leave a stump; a space farther on is better.
        commas = [end for space, end in ends if not space and end > len(fitting) // 4]
        spaces = [end for space, end in ends if space]
        cut = max(commas, default=0) or max(spaces, default=0) or len(fitting)
        yield sentence[:cut]
        sentence = sentence[cut:]
    yield sentence
