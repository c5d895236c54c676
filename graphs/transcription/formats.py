"""Transcripts in the formats that other programs read: SRT, WebVTT and plain text."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from graphs.transcription.transcript import Transcript, Turn

MEDIA_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt", "txt": "text/plain; charset=utf-8"}
"""Media types of the formats, by the ending of the file's name."""

# Widely used subtitle limits: two lines of 42 characters, no longer than seven seconds on the screen.
MAX_CUE_CHARACTERS = 84
MAX_CUE_SECONDS = 7.0
# Lines may be so much longer than an even share, for a word more.
_LOOSE = 12


@dataclass(frozen=True)
class Cue:
    """One subtitle; the speaker is empty where nobody is told apart."""

    start: float
    end: float
    speaker: str
    text: str


def cues(turns: Iterable[Turn]) -> Iterator[Cue]:
    """Cut turns into subtitles of readable length; at words where their times are known."""
    for turn in turns:
        if not turn.words:
            yield Cue(turn.start, turn.end, turn.speaker, turn.text)
            continue
        first = 0
        length = 0
        for index, word in enumerate(turn.words):
            length += len(word.text) + 1
            too_long = length > MAX_CUE_CHARACTERS or word.end - turn.words[first].start > MAX_CUE_SECONDS
            if too_long and index > first:
                yield _cue(turn, first, index)
                first, length = index, len(word.text) + 1
        yield _cue(turn, first, len(turn.words))


def _cue(turn: Turn, first: int, end: int) -> Cue:
    words = turn.words[first:end]
    return Cue(words[0].start, words[-1].end, turn.speaker, " ".join(word.text for word in words))


def _clock(seconds: float, decimal_mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{milliseconds // 1000:02d}{decimal_mark}{milliseconds % 1000:03d}"


def timed_cues(start: float, end: float, text: str) -> Iterator[Cue]:
    """Cut what was said in a stretch of time into subtitles of readable length, each as long as its share of the text.

    Characters of the East Asian scripts count twice, being twice as wide; text without spaces is cut where it must be.
    """
    lines = list(_lines(text))
    widths = [_width(line) for line in lines]
    total = sum(widths)
    before = 0
    for line, width in zip(lines, widths, strict=True):
        yield Cue(start + (end - start) * before / total, start + (end - start) * (before + width) / total, "", line)
        before += width


def _lines(text: str) -> Iterator[str]:
    """Cut a text into lines of at most ``MAX_CUE_CHARACTERS``, all about as long."""
    words = [piece for word in text.split() for piece in _pieces(word)]
    total = sum(map(_width, words)) + len(words)
    longest = min(MAX_CUE_CHARACTERS, total / max(1, -(-total // MAX_CUE_CHARACTERS)) + _LOOSE)
    line = ""
    for word in words:
        if line and _width(line) + 1 + _width(word) > longest:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        yield line


def _pieces(word: str) -> Iterator[str]:
    piece, width = "", 0
    for character in word:
        if width + _width(character) > MAX_CUE_CHARACTERS:
            yield piece
            piece, width = "", 0
        piece += character
        width += _width(character)
    yield piece


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def write_srt(shown: Iterable[Cue]) -> str:
    """SubRip: numbered cues, the speaker's name before the words."""
    blocks = (
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n"
        f"{cue.speaker + ': ' if cue.speaker else ''}{cue.text}\n"
        for number, cue in enumerate(shown, start=1)
    )
    return "\n".join(blocks)


def write_vtt(shown: Iterable[Cue]) -> str:
    """WebVTT (W3C) with the speaker as a voice span."""
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        f"{f'<v {escape(cue.speaker)}>' if cue.speaker else ''}{escape(cue.text)}\n"
        for cue in shown
    )
    return "\n".join(["WEBVTT\n", *blocks])


def write_text(shown: Iterable[Cue]) -> str:
    """One line a cue: [0:01:05] name: words."""
    return "".join(
        f"[{_clock(cue.start, '.')[:8]}] {cue.speaker + ': ' if cue.speaker else ''}{cue.text}\n" for cue in shown
    )


def to_srt(transcript: Transcript) -> str:
    """Return a transcript as SubRip."""
    return write_srt(cues(transcript.turns))


def to_vtt(transcript: Transcript) -> str:
    """Return a transcript as WebVTT."""
    return write_vtt(cues(transcript.turns))


def to_text(transcript: Transcript) -> str:
    """Return a transcript as text, one line a turn."""
    return write_text(Cue(turn.start, turn.end, turn.speaker, turn.text) for turn in transcript.turns)
