"""Cleaning of recognised and of written text before it reaches the chat engine."""

import re
from collections.abc import Iterable

from models.asr.non_speech import is_non_speech

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def without_controls(text: str) -> str:
    """Drop the characters that no database or voice takes: controls but line ends and tabs, lone surrogates."""
    return _UNSTORABLE.sub("", text)


def storable(text: str) -> str:
    """Drop those characters and the white space around the text."""
    return without_controls(text).strip()


def understood(segments: Iterable[str]) -> str:
    """Return the words of recognised segments without those that are noise; empty when nothing else was recognised."""
    text = " ".join(storable(segment) for segment in segments if not is_non_speech(segment))
    return "" if is_non_speech(text) else " ".join(text.split())
