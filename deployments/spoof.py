"""Spoof detection as a Ray Serve deployment, and its client."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.batched_replica import BatchedReplica
from deployments.client import RoleClient, call
from deployments.replica import deployment_of
from deployments.sample import warm_up_speech
from models.audio import SAMPLE_RATE
from models.spoof import CHUNK_SAMPLES, Bands, SpoofDetector, SpoofScores, SpoofSettings, build
from models.spoof.inputs import check_shapes

MAX_CHUNKS_PER_CALL = 64
MAX_QUEUED_CHUNKS = 2048

_Item = tuple[NDArray[np.float32], int]


def _warm(chunks: int) -> Callable[[SpoofDetector], None]:
    def warm(engine: SpoofDetector) -> None:
        speech = warm_up_speech(CHUNK_SAMPLES / SAMPLE_RATE)
        engine.score(np.tile(speech, (chunks, 1)), np.full(chunks, CHUNK_SAMPLES, np.int64))

    return warm


class SpoofReplica(BatchedReplica[SpoofDetector, _Item, np.float32]):
    """Serves one spoof detector; scores the chunks of all callers in shared batches.

    Args:
        settings: Which engine, and its settings.
        max_batch_chunks: Chunks that the engine is given at once.
        batch_wait_ms: How long a batch that is not full may be held back; see ``deployments.batching.Batcher``.
        concurrency: Batches that the engine works on at once.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: SpoofSettings,
        max_batch_chunks: int = 32,
        batch_wait_ms: float = 5.0,
        concurrency: int = 2,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        super().__init__(
            "spoof",
            settings,
            build,
            _warm(max_batch_chunks),
            self._score,
            size_field="max_batch_chunks",
            max_batch_cost=max_batch_chunks,
            max_queued_cost=MAX_QUEUED_CHUNKS,
            batch_wait_ms=batch_wait_ms,
            concurrency=concurrency,
            log_level=log_level,
            notice=notice,
            probe=_warm(1),
        )
        self._buffers = threading.local()

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str = ""
    ) -> SpoofScores:
        """Score chunks of a recording; see ``graphs.common.roles.SpoofRole``.

        Raises:
            QueueFull: Too many chunks are waiting.
        """
        _check(chunks, lengths)
        with self.serving(int(lengths.sum()), correlation_id):
            items = list(zip(chunks, lengths.tolist(), strict=True))
            scores = await self._batcher.submit(items, caller=correlation_id or None)
        settings = self._settings
        return SpoofScores(
            np.array(scores, np.float32), Bands(settings.bona_fide_below, settings.spoof_from), settings.engine
        )

    async def describe(self) -> dict[str, Any]:
        """Return the settings in force, and how many chunks were scored in how many batches."""
        return {
            **await super().describe(),
            "chunks": self._batcher.items,
        }

    def _score(self, items: Sequence[_Item]) -> list[np.float32]:
        buffer = self._buffers.__dict__.get("chunks")
        if buffer is None or len(buffer) < len(items):
            # One for each of the engine's threads: a fresh array of this size costs a page fault every 4 kB.
            rows = max(len(items), int(self._batcher.max_cost))
            buffer = self._buffers.chunks = np.empty((rows, CHUNK_SAMPLES), np.float32)
        batch = np.stack([chunk for chunk, _length in items], out=buffer[: len(items)])
        return list(self.engine.score(batch, np.array([length for _chunk, length in items], np.int64)))


def _check(chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
    check_shapes(chunks, lengths)
    if len(chunks) > MAX_CHUNKS_PER_CALL:
        raise ValueError(f"a call takes at most {MAX_CHUNKS_PER_CALL} chunks, not {len(chunks)}")


class SpoofClient(RoleClient):
    """The spoof deployment behind its handle; see ``graphs.common.roles.SpoofRole``."""

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """Return the chunks' scores."""
        scores: SpoofScores = await call(self.handle.score, chunks, lengths, correlation_id=correlation_id)
        return scores


# More than one call fills a batch: the next are to be there when the engine frees.
spoof_deployment = deployment_of(SpoofReplica, "spoof", max_ongoing_requests=32)
