"""Where translated speech goes: at its place in the recording, or as soon after that as there is room."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphs.translation.report import TranslatedAudio

_PIECE_S = 10.0
_PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Placed:
    """Where speech went, in seconds, and at which speed; or why there is none."""

    start: float | None = None
    end: float | None = None
    speed: float | None = None
    error: str | None = None


class TimeLine:
    """A recording in the making: speech at its times, silence between.

    Args:
        audio: Given the recording piece by piece, mono float32[n], at most 10 s of silence or one speech a call.
        sample_rate: Of all speech, in Hz.
        keep_times: False lets speech follow speech after a short pause.
    """

    def __init__(
        self, audio: Callable[[NDArray[np.float32]], Awaitable[None]], sample_rate: int, *, keep_times: bool = True
    ) -> None:
        self._audio = audio
        self._rate = sample_rate
        self._keep_times = keep_times
        self._samples = 0
        self._spoken = 0
        self._hurried = 0
        self._max_drift = 0.0
        self._failures: list[Exception] = []

    @property
    def end(self) -> float:
        """How long the recording is so far, in seconds."""
        return self._samples / self._rate

    def room(self, start: float, until: float) -> float:
        """Return the seconds that speech of a time has before the next begins; none may be left."""
        return until - max(self.end, start) if self._keep_times else math.inf

    async def place(self, start: float, speech: NDArray[np.float32], speed: float) -> Placed:
        """Append speech at its time, or now where that has passed."""
        if not self._keep_times:
            start = self.end + (_PAUSE_S if self._samples else 0.0)
        await self._silence_until(start)
        begins = self.end
        await self._append(speech)
        self._spoken += 1
        self._hurried += speed > 1.0
        self._max_drift = max(self._max_drift, begins - start)
        return Placed(round(begins, 3), round(self.end, 3), speed)

    def fail(self, why: Exception) -> None:
        """Count an utterance that can't be spoken."""
        self._failures.append(why)

    async def finish(self, seconds: float) -> TranslatedAudio:
        """Fill the recording up to its length and describe it.

        Raises:
            Exception: The first failure, where not one utterance could be spoken.
        """
        if self._failures and not self._spoken:
            raise self._failures[0]
        if self._keep_times:
            await self._silence_until(seconds)
        return TranslatedAudio(
            sample_rate=self._rate,
            duration=round(self.end, 3),
            spoken=self._spoken,
            hurried=self._hurried,
            failed=len(self._failures),
            max_drift=round(self._max_drift, 3),
        )

    async def _silence_until(self, seconds: float) -> None:
        """Append silence up to a time; nothing where that has passed."""
        missing = round(seconds * self._rate) - self._samples
        piece = round(_PIECE_S * self._rate)
        while missing > 0:
            await self._append(np.zeros(min(missing, piece), np.float32))
            missing -= piece

    async def _append(self, samples: NDArray[np.float32]) -> None:
        await self._audio(samples)
        self._samples += len(samples)
