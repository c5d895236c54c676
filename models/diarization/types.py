"""Protocol and results of speaker diarization."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """A stretch in which one speaker speaks, in seconds from the start of the recording.

    Speakers are named ``SPEAKER_00``, ``SPEAKER_01``, ... in order of first appearance.
    """

    start: float
    end: float
    speaker: str


class Diarizer(Protocol):
    """Finds the speaker turns of a recording. Safe to call from several threads at once."""

    def diarize(
        self,
        pcm: NDArray[np.float32],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
    ) -> tuple[SpeakerTurn, ...]:
        """Find the speaker turns, in order of start; empty where nobody speaks.

        Args:
            pcm: Mono float32 in [-1, 1] at 16 kHz, shape [samples]; never written to.
            num_speakers: The number of speakers where it is known; excludes the other two.
            min_speakers: Least number of speakers.
            max_speakers: Greatest number of speakers.

        Raises:
            InputError: The numbers contradict each other (field names the argument).
        """
        ...
