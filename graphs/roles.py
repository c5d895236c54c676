"""The roles as a graph sees them, whether behind a Serve handle or in the same process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from ray.serve.handle import DeploymentHandle

from models.asr import Segment
from models.diarization import SpeakerTurn
from models.spoof import SpoofScores

# A recording as passed between stages: float32[samples] at 16 kHz, or a reference to one in Ray's object store.
Recording = Any


class AsrRole(Protocol):
    """Recognises speech, streaming: first the language, then segments in order of time."""

    def transcribe(
        self, recording: Recording, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        """See ``deployments.asr.AsrReplica.transcribe``."""
        ...


class DiarizationRole(Protocol):
    """Finds who spoke when."""

    async def diarize(
        self,
        recording: Recording,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        correlation_id: str,
    ) -> tuple[SpeakerTurn, ...]:
        """See ``deployments.diarization.DiarizationReplica.diarize``."""
        ...


class SpoofRole(Protocol):
    """Tells synthetic voices from real ones, chunk by chunk."""

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """See ``deployments.spoof.SpoofReplica.score``; at most 64 chunks a call."""
        ...


@dataclass(frozen=True)
class ServedAsr:
    """The ASR deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def transcribe(
        self, recording: Recording, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        """Stream the language, then the segments."""
        stream: Any = self.handle.options(stream=True).transcribe.remote(
            recording, language=language, correlation_id=correlation_id
        )
        async for item in stream:
            yield item


@dataclass(frozen=True)
class ServedDiarization:
    """The diarization deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def diarize(
        self,
        recording: Recording,
        *,
        num_speakers: int | None,
        min_speakers: int | None,
        max_speakers: int | None,
        correlation_id: str,
    ) -> tuple[SpeakerTurn, ...]:
        """Return the speaker turns."""
        turns: tuple[SpeakerTurn, ...] = await self.handle.diarize.remote(
            recording,
            num_speakers=num_speakers,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            correlation_id=correlation_id,
        )
        return turns


@dataclass(frozen=True)
class ServedSpoof:
    """The spoof deployment behind its handle."""

    handle: DeploymentHandle[Any]

    async def score(
        self, chunks: NDArray[np.float32], lengths: NDArray[np.int64], *, correlation_id: str
    ) -> SpoofScores:
        """Return the chunks' scores."""
        scores: SpoofScores = await self.handle.score.remote(chunks, lengths, correlation_id=correlation_id)
        return scores
