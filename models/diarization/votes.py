"""Turns of voices that may overlap, from the votes of overlapping chunks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.diarization.local_speakers import LocalSpeaker
from models.diarization.segmentation import CENTRE, HOP, Segmentation
from models.diarization.turns import merged, named
from models.diarization.types import SpeakerTurn

SAMPLE_RATE = 16_000


def elected(
    segmentation: Segmentation, locals_: Sequence[LocalSpeaker], voices: NDArray[np.int64], count: int
) -> NDArray[np.bool_]:
    """Decide which voices speak in each frame: as many as the chunks over it heard, those with most votes.

    The rule of pyannote's pipelines (Bredin, 2023), with probabilities for votes.

    Args:
        segmentation: Of the recording.
        locals_: The local speakers.
        voices: Index of the voice of each, -1 for none.
        count: Number of voices.

    Returns:
        bool[frames, voices].
    """
    chunks, length, _ = segmentation.activity.shape
    frames = int(segmentation.starts[-1]) // HOP + length
    votes = np.zeros((frames, count), dtype=np.float32)
    speakers, chunks_here = np.zeros(frames, dtype=np.float32), np.zeros(frames, dtype=np.float32)
    firsts = segmentation.starts // HOP
    for chunk in range(chunks):
        here = slice(int(firsts[chunk]), int(firsts[chunk]) + length)
        speakers[here] += segmentation.activity[chunk].sum(axis=1)
        chunks_here[here] += 1
    for local, voice in zip(locals_, voices.tolist(), strict=True):
        if voice >= 0:
            first = int(firsts[local.chunk])
            votes[first : first + length, voice] += local.share * segmentation.activity[local.chunk, :, local.number]
    at_once = np.floor(speakers / chunks_here + 0.5).astype(np.int64)
    ranks = np.argsort(np.argsort(-votes, axis=1, kind="stable"), axis=1)
    return (ranks < at_once[:, None]) & (votes > 0)


def anybody(segmentation: Segmentation) -> NDArray[np.bool_]:
    """Return the frames in which anybody speaks by any chunk, as of one voice, bool[frames, 1]."""
    length = segmentation.active.shape[1]
    speaking = np.zeros((int(segmentation.starts[-1]) // HOP + length, 1), dtype=np.bool_)
    for start, active in zip(segmentation.starts // HOP, segmentation.active, strict=True):
        speaking[int(start) : int(start) + length, 0] |= active.any(axis=1)
    return speaking


def overlapping_turns(
    speaking: NDArray[np.bool_], duration: float, *, merge_gap: float, min_turn: float
) -> tuple[SpeakerTurn, ...]:
    """Join the frames of each voice to turns and name the voices in order of first appearance.

    Args:
        speaking: Voices that speak in each frame, bool[frames, voices].
        duration: Of the recording, in seconds; no turn ends later.
        merge_gap: Neighbouring turns of one voice with no longer gap become one.
        min_turn: Shorter turns are dropped, after gaps are closed.
    """
    turns: list[tuple[float, float, int]] = []
    for voice in range(speaking.shape[1]):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], speaking[:, voice], [False])).astype(np.int8)))
        seconds = np.clip((edges * HOP + CENTRE - HOP // 2) / SAMPLE_RATE, 0.0, duration).reshape(-1, 2)
        own = merged([(start, end, voice) for start, end in seconds.tolist()], merge_gap)
        turns += [turn for turn in own if turn[1] - turn[0] >= max(min_turn, 1e-3)]
    return named(sorted(turns))
