"""Merging of words and speaker turns: each word goes to whoever spoke most during it.

The rule: the greatest overlap with a turn padded by 0.2 s, else the nearest turn.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby

from graphs.transcription.transcript import TranscriptWord, Turn
from models.asr import Segment
from models.diarization import SpeakerTurn
from models.spans import Span

PAD_S = 0.2
NEW_TURN_AFTER_PAUSE_S = 2.0
UNKNOWN_SPEAKER = "SPEAKER_00"


class SpeakerLookup:
    """Finds the speaker of a span among turns.

    Turns are kept in order of start with the running maximum of their ends, so that a look-up touches only the turns
    near the span, however long the recording.
    """

    def __init__(self, turns: Sequence[SpeakerTurn], pad: float = PAD_S) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]
        self._longest = max((turn.end - turn.start for turn in self._turns), default=0.0)
        self._pad = pad

    def speaker(self, span: Span) -> str:
        """Return the speaker with the greatest overlap, else the nearest one; ties go to the earlier turn."""
        if not self._turns:
            return UNKNOWN_SPEAKER
        first = bisect_left(self._starts, span.start - self._longest - self._pad)
        last = bisect_left(self._starts, span.end + self._pad)
        overlaps: dict[str, float] = {}
        for turn in self._turns[first:last]:
            exact = span.overlap(Span(turn.start, turn.end))
            padded = span.overlap(Span(turn.start - self._pad, turn.end + self._pad))
            if padded > 0:
                # The pad only decides where nobody overlaps exactly, so it weighs next to nothing.
                overlaps[turn.speaker] = overlaps.get(turn.speaker, 0.0) + exact + 1e-3 * padded
        if overlaps:
            return max(overlaps, key=lambda speaker: overlaps[speaker])
        near = self._turns[max(0, first - 1) : last + 1]
        return min(near, key=lambda turn: max(turn.start - span.end, span.start - turn.end)).speaker


def other_language(segment: Segment, language: str) -> str | None:
    """Return a segment's language where it is not the recording's."""
    return segment.language if segment.language != language else None


def merge(segments: Iterable[Segment], turns: Sequence[SpeakerTurn], *, language: str = "") -> tuple[Turn, ...]:
    """Merge recognised segments and speaker turns into what each speaker said, in order of time.

    Segments with words are cut at changes of speaker; those without go whole to one speaker. A pause of
    ``NEW_TURN_AFTER_PAUSE_S`` starts a new turn of the same speaker, and so does another language.

    Args:
        segments: What was recognised.
        turns: Who spoke when.
        language: The recording's, which turns need not name.
    """
    lookup = SpeakerLookup(turns)
    merged: list[_OpenTurn] = []
    for segment in segments:
        spoken = other_language(segment, language)
        for speaker, piece in _pieces(segment, lookup):
            last = merged[-1] if merged else None
            same = last and (last.speaker, last.language) == (speaker, spoken)
            if last and same and piece.start - last.end < NEW_TURN_AFTER_PAUSE_S:
                last.add(piece)
            else:
                merged.append(_OpenTurn(speaker, spoken, piece))
    return tuple(turn.close() for turn in merged)


class _OpenTurn:
    def __init__(self, speaker: str, language: str | None, piece: Segment) -> None:
        self.speaker = speaker
        self.language = language
        self._pieces = [piece]

    @property
    def end(self) -> float:
        return self._pieces[-1].end

    def add(self, piece: Segment) -> None:
        self._pieces.append(piece)

    def close(self) -> Turn:
        words = [word for piece in self._pieces for word in piece.words]
        return Turn(
            start=self._pieces[0].start,
            end=self.end,
            speaker=self.speaker,
            language=self.language,
            text=" ".join(piece.text.strip() for piece in self._pieces),
            words=tuple(
                TranscriptWord(text=w.text, start=w.start, end=w.end, probability=w.probability) for w in words
            ),
        )


def _pieces(segment: Segment, lookup: SpeakerLookup) -> Iterable[tuple[str, Segment]]:
    if not segment.words:
        if segment.text.strip():
            yield lookup.speaker(Span(segment.start, segment.end)), segment
        return
    speakers = [lookup.speaker(Span(word.start, word.end)) for word in segment.words]
    places = _places(segment)
    first = 0
    for speaker, run in groupby(speakers):
        end = first + len(list(run))
        yield speaker, _of_words(segment, places, first, end)
        first = end


def _places(segment: Segment) -> list[int] | None:
    """Return where each word begins in the text of its segment; None where the text is of other words."""
    places: list[int] = []
    at = 0
    for word in segment.words:
        at = segment.text.find(word.text, at)
        if at < 0:
            return None
        places.append(at)
        at += len(word.text)
    return places


def _of_words(segment: Segment, places: list[int] | None, first: int, end: int) -> Segment:
    """Return some of a segment's words, in the spelling of its text: not all languages put spaces between words."""
    words = segment.words[first:end]
    if places is None:
        text = " ".join(word.text for word in words)
    else:
        text = segment.text[places[first] : places[end] if end < len(places) else None].strip()
    return Segment(words[0].start, words[-1].end, text, words, segment.language)
