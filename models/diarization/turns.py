"""Speaker turns from steps with a speaker each."""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.diarization.types import SpeakerTurn
from models.diarization.windows import Timeline

Voice = TypeVar("Voice", int, str)


def turns_of(
    times: Timeline, voices: NDArray[np.int64], *, merge_gap: float, min_turn: float
) -> tuple[SpeakerTurn, ...]:
    """Join the steps of a voice to turns and name the voices in order of first appearance.

    Args:
        times: The steps.
        voices: Index of the voice of each step, shape [steps].
        merge_gap: Neighbouring turns of one voice with a shorter gap become one.
        min_turn: Shorter turns are dropped, before gaps are closed over them again.
    """
    turns = merged(list(zip(times.starts.tolist(), times.ends.tolist(), voices.tolist(), strict=True)), merge_gap)
    return named(merged([turn for turn in turns if turn[1] - turn[0] >= min_turn], merge_gap))


def named(turns: Iterable[tuple[float, float, Voice]]) -> tuple[SpeakerTurn, ...]:
    """Name the voices of turns (start, end, voice) in order of first appearance."""
    names: dict[Voice, str] = {}
    return tuple(
        SpeakerTurn(start, end, names.setdefault(voice, f"SPEAKER_{len(names):02d}")) for start, end, voice in turns
    )


def merged(turns: Iterable[tuple[float, float, Voice]], gap: float) -> list[tuple[float, float, Voice]]:
    """Join neighbouring turns of one voice with no more than a gap between them; turns are in order of time."""
    merged: list[tuple[float, float, Voice]] = []
    for start, end, voice in turns:
        if merged and merged[-1][2] == voice and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], end, voice)
        else:
            merged.append((start, end, voice))
    return merged
