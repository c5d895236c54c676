"""Speech recognition as a Ray Serve deployment, and its client."""

from collections.abc import AsyncGenerator

import numpy as np
from numpy.typing import NDArray

from deployments.client import RoleClient, call, stream
from deployments.references import Recording
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
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: AsrSettings,
        concurrency: int = 2,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        super().__init__("asr", settings, build, _warm, concurrency, log_level, notice=notice)

    async def transcribe(
        self,
        recording: NDArray[np.float32],
        *,
        language: str | None = None,
        hotwords: str | None = None,
        prompt: str | None = None,
        correlation_id: str = "",
    ) -> AsyncGenerator[str | Segment, None]:
        """Recognise a recording; see ``graphs.common.roles.AsrRole``."""
        with self.serving(len(recording), correlation_id):
            transcription = await self.call(
                retry_once, self.engine.transcribe, recording, language=language, hotwords=hotwords, prompt=prompt
            )
            yield transcription.language
            async for segment in self.iterate(lambda: iter(transcription.segments)):
                yield segment

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        return self.engine.languages

    async def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """Check what ``transcribe`` may be told; see ``graphs.common.roles.AsrRole``."""
        self.engine.check_hints(hotwords=hotwords, prompt=prompt)


class AsrClient(RoleClient):
    """The ASR deployment behind its handle; see ``graphs.common.roles.AsrRole``."""

    def transcribe(
        self,
        recording: Recording,
        *,
        language: str | None,
        hotwords: str | None = None,
        prompt: str | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[str | Segment, None]:
        """Stream the language, then the segments."""
        method = self.handle.options(stream=True).transcribe
        hints = {"hotwords": hotwords, "prompt": prompt}
        return stream(method, recording, language=language, **hints, correlation_id=correlation_id)

    async def languages(self) -> tuple[str, ...]:
        """Return the codes of the languages that it may be asked for."""
        languages: tuple[str, ...] = await call(self.handle.languages)
        return languages

    async def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """Check what ``transcribe`` may be told."""
        await call(self.handle.check_hints, hotwords=hotwords, prompt=prompt)


asr_deployment = deployment_of(AsrReplica, "asr")
