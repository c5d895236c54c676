"""The transcript in the formats that other programs read: SRT, WebVTT, plain text and RTTM."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from graphs.transcript import Transcript, Turn

# Widely used subtitle limits: two lines of 42 characters, no longer than seven seconds on the screen.
MAX_CUE_CHARACTERS = 84
MAX_CUE_SECONDS = 7.0


@dataclass(frozen=True)
class Cue:
    """One subtitle."""

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


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, the speaker's name before the words."""
    blocks = (
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{cue.speaker}: {cue.text}\n"
        for number, cue in enumerate(cues(transcript.turns), start=1)
    )
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (W3C) with the speaker as a voice span."""
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n<v {escape(cue.speaker)}>{escape(cue.text)}\n"
        for cue in cues(transcript.turns)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def to_text(transcript: Transcript) -> str:
    """One line a turn: [0:01:05] name: words."""
    return "".join(f"[{_clock(turn.start, '.')[:8]}] {turn.speaker}: {turn.text}\n" for turn in transcript.turns)
