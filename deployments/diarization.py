"""Speaker diarization as a Ray Serve deployment, and its client."""

import numpy as np
from numpy.typing import NDArray

from deployments.client import RoleClient, call
from deployments.references import Recording
from deployments.replica import EngineReplica, deployment_of
from deployments.sample import warm_up_speech
from models.diarization import DiarizationSettings, Diarizer, SpeakerTurn, build
from models.gpu_share import retry_once


def _warm(engine: Diarizer) -> None:
    engine.diarize(warm_up_speech())


class DiarizationReplica(EngineReplica[Diarizer]):
    """Serves one diarizer.

    Args:
        settings: Which engine, and its settings.
        concurrency: Recordings that one replica works on at once.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: DiarizationSettings,
        concurrency: int = 2,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        super().__init__("diarization", settings, build, _warm, concurrency, log_level, notice=notice)

    async def diarize(
        self,
        recording: NDArray[np.float32],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        correlation_id: str = "",
    ) -> tuple[SpeakerTurn, ...]:
        """Find who spoke when; see ``graphs.common.roles.DiarizationRole``."""
        with self.serving(len(recording), correlation_id):
            return await self.call(
                retry_once,
                self.engine.diarize,
                recording,
                num_speakers=num_speakers,
                min_speakers=min_speakers,
                max_speakers=max_speakers,
            )


class DiarizationClient(RoleClient):
    """The diarization deployment behind its handle; see ``graphs.common.roles.DiarizationRole``."""

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
        turns: tuple[SpeakerTurn, ...] = await call(
            self.handle.diarize,
            recording,
            num_speakers=num_speakers,
            min_speakers=min_speakers,
            max_speakers=max_speakers,
            correlation_id=correlation_id,
        )
        return turns


diarization_deployment = deployment_of(DiarizationReplica, "diarization")
