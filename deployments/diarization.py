"""The speaker diarizer as a Ray Serve deployment."""

import numpy as np
from numpy.typing import NDArray

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
    """

    def __init__(self, settings: DiarizationSettings, concurrency: int = 2, log_level: str = "INFO") -> None:
        super().__init__("diarization", settings, build, _warm, concurrency, log_level)

    async def diarize(
        self,
        pcm: NDArray[np.float32],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        correlation_id: str = "",
    ) -> tuple[SpeakerTurn, ...]:
        """Find who spoke when; arguments, result and errors are those of ``models.diarization.Diarizer``."""
        with self.serving(len(pcm), correlation_id):
            return await self.call(
                retry_once,
                self.engine.diarize,
                pcm,
                num_speakers=num_speakers,
                min_speakers=min_speakers,
                max_speakers=max_speakers,
            )


diarization_deployment = deployment_of(DiarizationReplica, "diarization")
