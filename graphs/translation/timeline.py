"""Time line of translated speech: at its original's place, or as soon after that as there is room."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from graphs.translation.report import TranslatedAudio

_PIECE_S = 10.0
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Placed:
    """Place of an utterance's speech in seconds, and its speed; or the reason why there is none."""

    start: float | None = None
    end: float | None = None
    speed: float | None = None
    error: str | None = None


class TimeLine:
    """A recording in the making: speech at its times, silence between.

    Args:
        sample_rate: Of all speech, in Hz.
        keep_times: False lets speech follow speech after a short pause.
    """

    def __init__(self, sample_rate: int, *, keep_times: bool = True) -> None:
        self._rate = sample_rate
        self._keep_times = keep_times
        self._samples = 0
        self._spoken = 0
        self._hurried = 0
        self._max_drift = 0.0
        self._failures: list[Exception] = []

    @property
    def end(self) -> float:
        """Length of the audio so far, in seconds."""
        return self._samples / self._rate

    def room(self, start: float, until: float) -> float:
        """Return the seconds that speech of a time has before the next begins; none may be left."""
        return until - max(self.end, start) if self._keep_times else math.inf

    def place(
        self, start: float, speech: NDArray[np.float32], speed: float
    ) -> tuple[Placed, Iterator[NDArray[np.float32]]]:
        """Append speech at its time, or now where that has passed.

        Returns:
            Where it went, and what the recording grows by: mono float32[n], at most 10 s of silence or the speech.
        """
        if not self._keep_times:
            start = self.end + (_PAUSE_S if self._samples else 0.0)
        silence = self._silence_until(start)
        begins = self.end
        self._samples += len(speech)
        self._spoken += 1
        self._hurried += speed > 1.0
        self._max_drift = max(self._max_drift, begins - start)
        return Placed(round(begins, 3), round(self.end, 3), speed), chain(silence, (speech,))

    def fail(self, why: Exception) -> None:
        """Count an utterance that can't be spoken."""
        self._failures.append(why)

    def finish(self, seconds: float) -> tuple[TranslatedAudio, Iterator[NDArray[np.float32]]]:
        """Fill the recording up to its length; return its description, and what it grows by.

        Raises:
            Exception: The first failure, where not one utterance could be spoken.
        """
        if self._failures and not self._spoken:
            raise self._failures[0]
        silence = self._silence_until(seconds if self._keep_times else 0.0)
        audio = TranslatedAudio(
            sample_rate=self._rate,
            duration=round(self.end, 3),
            spoken=self._spoken,
            hurried=self._hurried,
            failed=len(self._failures),
            max_drift=round(self._max_drift, 3),
        )
        return audio, silence

    def _silence_until(self, seconds: float) -> Iterator[NDArray[np.float32]]:
        """Append silence up to a time, and return it piece by piece; none where the time has passed."""
        missing = max(0, round(seconds * self._rate) - self._samples)
        self._samples += missing
        piece = round(_PIECE_S * self._rate)
        return (np.zeros(min(piece, missing - done), np.float32) for done in range(0, missing, piece))
