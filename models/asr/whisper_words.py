"""Segments and words from faster-whisper's, in the spelling of the recogniser."""

from typing import Any

from models.asr.types import Segment, Word

_UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that Whisper writes without spaces; faster-whisper cuts them into words at characters."""


def segment_of(piece: dict[str, Any], language: str, duration: float) -> Segment:
    """Return a segment of faster-whisper's; no time is past the end of the recording.

    Args:
        piece: With ``text``, ``start``, ``end`` in seconds and, where words are timed, ``words``.
        language: ISO 639-1 code.
        duration: Of the recording, in seconds.
    """

    def within(seconds: float) -> float:
        return round(min(max(0.0, float(seconds)), duration), 3)

    words = tuple(
        Word(
            text=word["word"].strip(),
            start=within(word["start"]),
            end=within(word["end"]),
            probability=min(1.0, float(word["probability"])),
        )
        for word in _whole(piece.get("words") or [], language)
        if word["word"].strip()
    )
    return Segment(
        start=words[0].start if words else within(piece["start"]),
        end=words[-1].end if words else within(piece["end"]),
        text=piece["text"].strip(),
        words=words,
        language=language,
    )


def _whole(words: list[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Join what is written without a space between: "3" and ".5", "well" and "-known"."""
    if language in _UNSPACED:
        return words
    joined: list[dict[str, Any]] = []
    for word in words:
        if joined and not word["word"].startswith(" "):
            before = joined[-1]
            joined[-1] = {
                "word": before["word"] + word["word"],
                "start": before["start"],
                "end": max(before["end"], word["end"]),
                "probability": min(before["probability"], word["probability"]),
            }
        else:
            joined.append(word)
    return joined
