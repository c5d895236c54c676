"""Speaker embeddings as a Ray Serve deployment, and its client."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deployments.client import RoleClient, call
from deployments.replica import EngineReplica, deployment_of
from deployments.sample import warm_up_speech
from models.audio import SAMPLE_RATE
from models.gpu_share import retry_once
from models.speaker import SpeakerEncoder, SpeakerSettings, build

MAX_WINDOWS_PER_CALL = 64
MAX_SECONDS_PER_CALL = 300


def _warm(engine: SpeakerEncoder) -> None:
    engine.embed([warm_up_speech()])


class SpeakerReplica(EngineReplica[SpeakerEncoder]):
    """Serves one speaker encoder.

    Args:
        settings: Which engine, and its settings.
        concurrency: Calls that the engine works on at once.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: SpeakerSettings,
        concurrency: int = 2,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        super().__init__("speaker", settings, build, _warm, concurrency, log_level, notice=notice)

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str = ""
    ) -> tuple[NDArray[np.float32], str]:
        """Embed stretches of speech; see ``graphs.common.roles.SpeakerRole``."""
        samples = _checked(windows)
        # Another engine may take this one's place while the call goes on.
        engine = self.engine
        with self.serving(samples, correlation_id):
            return await self.call(retry_once, engine.embed, windows), engine.name


def _checked(windows: Sequence[NDArray[np.float32]]) -> int:
    """Return the samples of all windows together."""
    if len(windows) > MAX_WINDOWS_PER_CALL:
        raise ValueError(f"a call takes at most {MAX_WINDOWS_PER_CALL} windows, not {len(windows)}")
    for window in windows:
        if window.ndim != 1 or window.dtype != np.float32:
            raise ValueError(f"a window must be float32[samples], not {window.dtype}{list(window.shape)}")
        if not np.isfinite(window).all():
            raise ValueError("a window must hold finite samples")
    samples = sum(map(len, windows))
    if samples > MAX_SECONDS_PER_CALL * SAMPLE_RATE:
        raise ValueError(f"a call takes at most {MAX_SECONDS_PER_CALL} s, not {samples / SAMPLE_RATE:.1f} s")
    return samples


class SpeakerClient(RoleClient):
    """The speaker encoder's deployment behind its handle; see ``graphs.common.roles.SpeakerRole``."""

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        """Return the embeddings and their encoder's name."""
        embedded: tuple[NDArray[np.float32], str] = await call(
            self.handle.embed, list(windows), correlation_id=correlation_id
        )
        return embedded


speaker_deployment = deployment_of(SpeakerReplica, "speaker")
