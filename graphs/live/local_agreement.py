"""Stable prefix of a transcript that is recognised again and again while its utterance grows."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# A word with the white space before it; a sign of a script without spaces (Thai, Lao, kana, ideographs) is a word.
_UNSPACED = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"\s*(?:[{_UNSPACED}]|[^\s{_UNSPACED}]+)")


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """Words recognised of an utterance that goes on.

    Attributes:
        text: All of them.
        stable: The beginning of ``text`` that later partial transcripts of the utterance will have, too.
    """

    text: str
    stable: str


class LocalAgreement:
    """LocalAgreement-2: words are stable once two consecutive hypotheses agree on them.

    Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by Partial
    Hypothesis Selection" (Interspeech 2020); Machacek, Dabre and Bojar, "Turning Whisper into Real-Time Transcription
    System" (2023). Words are compared without case and punctuation. The last word of a hypothesis is never made stable:
    its sound may be cut off. Hypotheses are of the same utterance from its start, each of more of it.
    """

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._last: list[str] = []

    def push(self, hypothesis: str) -> PartialTranscript:
        """Take the next hypothesis; return it behind the stable words, which replace its own beginning."""
        words = _TOKEN.findall(hypothesis.strip())
        rest = words[_matching_length(_bare(self._stable), _bare(words)) :]
        agreed = _common_length(_bare(rest[:-1]), _bare(self._last))
        self._stable += rest[:agreed]
        self._last = rest[agreed:]
        stable = "".join(self._stable)
        return PartialTranscript((stable + "".join(self._last)).strip(), stable.strip())


def _bare(words: Sequence[str]) -> list[str]:
    """Return words without case, white space and punctuation; a word of nothing else as it is."""
    return [
        "".join(c for c in word.casefold() if unicodedata.category(c)[0] not in "PZC") or word.strip() for word in words
    ]


def _common_length(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _matching_length(prefix: Sequence[str], words: Sequence[str]) -> int:
    """Return how many of the first words are the prefix, or what a later hypothesis made of it.

    That is the length at which the edit distance (Levenshtein) to the prefix is least, and nearest to the prefix's own
    among equals, so that a word that was split or joined in a stable stretch neither repeats nor swallows one.
    """
    distances = list(range(len(words) + 1))
    for row, expected in enumerate(prefix, 1):
        diagonal, distances[0] = distances[0], row
        for column, word in enumerate(words, 1):
            best = min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != expected))
            diagonal, distances[column] = distances[column], best
    return min(range(len(words) + 1), key=lambda length: (distances[length], abs(length - len(prefix))))
