"""A spoof detector that needs no model."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from fake_roles.failures import Failing
from graphs.spoof.speakers import CALLS_AT_ONCE
from models.spoof import CHUNK_SAMPLES, Bands, SpoofScores

BANDS = Bands(0.3, 0.7)


class FakeSpoof(Failing):
    """Scores a chunk by its mean; each call waits for ``gate`` if there is one.

    Attributes:
        calls: The lengths that each call came with.
        in_flight: Calls under way.
        full: Set when there are as many as a graph may make.
        correlation_ids: Of the calls.
    """

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        super().__init__()
        self.gate = gate
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
            self.raise_ordered("score")
        finally:
            self.in_flight -= 1
        return SpoofScores((chunks.sum(axis=1) / lengths).astype(np.float32), BANDS, "fake")
