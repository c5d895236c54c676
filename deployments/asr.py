"""The speech recogniser as a Ray Serve deployment."""

from collections.abc import AsyncIterator

import numpy as np
from numpy.typing import NDArray

from deployments.replica import EngineReplica, deployment_of
from deployments.sample import warm_up_speech
from models.asr import Asr, AsrSettings, Segment, build
from models.gpu_share import retry_once


def _warm(engine: Asr) -> None:
    for _segment in engine.transcribe(warm_up_speech()).segments:
        pass


class AsrReplica(EngineReplica[Asr]):
    """Serves one ASR engine; streams segments as they are recognised.

    Args:
        settings: Which engine, and its settings.
        concurrency: Recordings that one replica works on at once.
        log_level: Least level that is logged.
    """

    def __init__(self, settings: AsrSettings, concurrency: int = 2, log_level: str = "INFO") -> None:
        super().__init__("asr", settings, build, _warm, concurrency, log_level)

    async def transcribe(
        self, pcm: NDArray[np.float32], *, language: str | None = None, correlation_id: str = ""
    ) -> AsyncIterator[str | Segment]:
        """Recognise a recording.

        Args:
            pcm: Mono float32 at 16 kHz, shape [samples].
            language: ISO 639-1 code, or None to let the engine choose.
            correlation_id: Put into this call's log lines.

        Yields:
            First the language, then the segments in order of time.

        Raises:
            InputError: The engine does not know the language.
        """
        with self.serving(len(pcm), correlation_id):
            transcription = await self.call(retry_once, self.engine.transcribe, pcm, language=language)
            yield transcription.language
            async for segment in self.iterate(lambda: iter(transcription.segments)):
                yield segment

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        return self.engine.languages


asr_deployment = deployment_of(AsrReplica, "asr")
