"""Phonemes of English as Kokoro-82M and its relatives were trained on them (misaki's alphabet), by Hibari's rules."""

import re
import threading
from functools import cache
from typing import Any

from models.errors import MissingWeights

# The rules know no word for larger scales, and fail.
_LONG_NUMBER = re.compile(r"\d{13,}")
# They take [word](/phonemes/) for a pronunciation.
_LINK = "]("
_making = threading.Lock()


class EnglishPhonemizer:
    """American or British pronunciation. Callers take turns, each for about a millisecond.

    Args:
        british: Whether it is British.

    Raises:
        MissingWeights: hibari-tts is not installed.
    """

    def __init__(self, *, british: bool) -> None:
        try:
            from hibari.g2p import G2P  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingWeights("hibari is not on this machine: pip install hibari-tts") from error
        self._rules: Any = G2P(british=british)
        # Its network for unknown words, which is loaded when it is first asked for.
        _ = self._rules.oov
        self._lock = threading.Lock()

    def __call__(self, text: str) -> str:
        """Return the phonemes of a text, its marks in their places; empty where there is nothing to say."""
        text = _LONG_NUMBER.sub(lambda number: " ".join(number[0]), text.replace(_LINK, "] ("))
        with self._lock:
            phonemes: str = self._rules(text)
        return phonemes


@cache
def _made(british: bool) -> EnglishPhonemizer:
    return EnglishPhonemizer(british=british)


def english_phonemizer(*, british: bool) -> EnglishPhonemizer:
    """Return this process's phonemizer.

    Raises:
        MissingWeights: hibari-tts is not installed.
    """
    with _making:
        return _made(british)
