"""Merging of words and speaker turns: each word goes to whoever spoke most during it.

The rule: the greatest overlap with a turn padded by 0.2 s, else the nearest turn.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from graphs.transcription.transcript import TranscriptWord, Turn
from models.asr import Segment, Word
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


def merge(segments: Iterable[Segment], turns: Sequence[SpeakerTurn]) -> tuple[Turn, ...]:
    """Merge recognised segments and speaker turns into what each speaker said, in order of time.

    Segments with words are cut at changes of speaker; those without go whole to one speaker. A pause of
    ``NEW_TURN_AFTER_PAUSE_S`` starts a new turn of the same speaker.
    """
    lookup = SpeakerLookup(turns)
    merged: list[_OpenTurn] = []
    for segment in segments:
        for speaker, piece in _pieces(segment, lookup):
            last = merged[-1] if merged else None
            if last and last.speaker == speaker and piece.start - last.end < NEW_TURN_AFTER_PAUSE_S:
                last.add(piece)
            else:
                merged.append(_OpenTurn(speaker, piece))
    return tuple(turn.close() for turn in merged)


class _OpenTurn:
    def __init__(self, speaker: str, piece: Segment) -> None:
        self.speaker = speaker
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
    run: list[Word] = []
    speaker = ""
    for word in segment.words:
        by = lookup.speaker(Span(word.start, word.end))
        if run and by != speaker:
            yield speaker, _of_words(run)
            run = []
        speaker = by
        run.append(word)
    yield speaker, _of_words(run)


def _of_words(words: Sequence[Word]) -> Segment:
    return Segment(words[0].start, words[-1].end, " ".join(word.text for word in words), tuple(words))
