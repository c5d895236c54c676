"""A recording cut into utterances, window by window."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.spans import Span
from models.vad import VadSettings

FindSpeech = Callable[[NDArray[np.float32]], Sequence[Span]]

UTTERANCE_VAD = VadSettings(min_speech=0.2, min_silence=0.5, speech_pad=0.1, max_speech=15.0)
"""Settings of a ``FindSpeech`` whose spans are utterances: speech between pauses, cut where it is very long."""

_WINDOW_S = 300.0
# Speech that ends so near to a window's end may go on after it.
_OPEN_S = 1.0


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech between two pauses.

    Attributes:
        span: When, in seconds from the start of the recording.
        room_until: When the next utterance begins, or the recording ends.
    """

    span: Span
    room_until: float

    def samples(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its part of the recording's samples at 16 kHz, without a copy."""
        return pcm[round(self.span.start * SAMPLE_RATE) : round(self.span.end * SAMPLE_RATE)]


def utterances(pcm: NDArray[np.float32], find_speech: FindSpeech) -> Iterator[Utterance]:
    """Find the utterances of a recording, in order; blocks, a window of 5 min at a time.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples].
        find_speech: Finds spans of speech in a window; see ``UTTERANCE_VAD``.
    """
    before: Span | None = None
    for span in _spans(pcm, find_speech):
        if before is not None:
            yield Utterance(before, span.start)
        before = span
    if before is not None:
        yield Utterance(before, len(pcm) / SAMPLE_RATE)


def _spans(pcm: NDArray[np.float32], find_speech: FindSpeech) -> Iterator[Span]:
    window = round(_WINDOW_S * SAMPLE_RATE)
    at = 0
    while at < len(pcm):
        end = min(at + window, len(pcm))
        found = [Span(at / SAMPLE_RATE + s.start, at / SAMPLE_RATE + s.end) for s in find_speech(pcm[at:end])]
        following = end
        if end < len(pcm) and found and end / SAMPLE_RATE - found[-1].end < _OPEN_S:
            begun = round(found[-1].start * SAMPLE_RATE)
            if begun > at:
                # It is heard again, whole, at the start of the next window.
                found.pop()
                following = begun
        yield from found
        at = following
