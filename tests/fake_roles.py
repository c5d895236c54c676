"""Roles that need no model: a sample's value is the score that its voice deserves, and 0 is silence."""

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphs.common.roles import Roles
from graphs.spoof.speakers import CALLS_AT_ONCE
from models.audio import SAMPLE_RATE
from models.diarization import SpeakerTurn
from models.spans import Span
from models.spoof import CHUNK_SAMPLES, Bands, SpoofScores

BANDS = Bands(0.3, 0.7)


class Absent:
    """A role that nobody should call."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError(f"a role was called: {name}")


_absent: Any = Absent()
ABSENT: Any = Roles(asr=_absent, translation=_absent, speech=_absent, speaker=_absent, lipsync=_absent)


def voice(p_spoof: float, seconds: float) -> NDArray[np.float32]:
    return np.full(round(seconds * SAMPLE_RATE), p_spoof, np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return voice(0.0, seconds)


def find_speech(pcm: NDArray[np.float32]) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], pcm != 0, [False])).astype(np.int8)))
    return [Span(first / SAMPLE_RATE, last / SAMPLE_RATE) for first, last in edges.reshape(-1, 2).tolist()]


class FakeSpoof:
    """Scores a chunk by its mean; each call waits for ``gate`` if there is one."""

    def __init__(self, gate: asyncio.Event | None = None, error: Exception | None = None) -> None:
        self.gate, self.error = gate, error
        self.calls: list[NDArray[np.int64]] = []
        self.in_flight = 0
        self.full = asyncio.Event()
        self.correlation_ids: set[str] = set()

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        assert chunks.shape == (len(lengths), CHUNK_SAMPLES)
        assert chunks.dtype == np.float32
        assert all(not chunk[length:].any() for chunk, length in zip(chunks, lengths, strict=True))
        self.calls.append(lengths)
        self.correlation_ids.add(correlation_id)
        self.in_flight += 1
        assert self.in_flight <= CALLS_AT_ONCE
        if self.in_flight == CALLS_AT_ONCE:
            self.full.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.error is not None:
                raise self.error
        finally:
            self.in_flight -= 1
        return SpoofScores((chunks.sum(axis=1) / lengths).astype(np.float32), BANDS, "fake")


class FakeDiarization:
    def __init__(self, *turns: SpeakerTurn) -> None:
        self.turns = turns
        self.asked: list[Any] = []

    async def diarize(self, recording: Any, **options: Any) -> tuple[SpeakerTurn, ...]:
        self.asked.append((recording, options))
        return self.turns
