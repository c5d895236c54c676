"""From steps with a speaker each to turns."""

import numpy as np
from numpy.typing import NDArray

from models.diarization.types import SpeakerTurn
from models.diarization.windows import Timeline


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
    merged = _merged(list(zip(times.starts.tolist(), times.ends.tolist(), voices.tolist(), strict=True)), merge_gap)
    kept = _merged([turn for turn in merged if turn[1] - turn[0] >= min_turn], merge_gap)
    names: dict[int, str] = {}
    for _, _, voice in kept:
        names.setdefault(voice, f"SPEAKER_{len(names):02d}")
    return tuple(SpeakerTurn(start, end, names[voice]) for start, end, voice in kept)


def _merged(turns: list[tuple[float, float, int]], gap: float) -> list[tuple[float, float, int]]:
    merged: list[tuple[float, float, int]] = []
    for start, end, voice in turns:
        if merged and merged[-1][2] == voice and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], end, voice)
        else:
            merged.append((start, end, voice))
    return merged
