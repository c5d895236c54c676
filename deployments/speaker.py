"""The speaker encoder as a Ray Serve deployment."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
    """

    def __init__(self, settings: SpeakerSettings, concurrency: int = 2, log_level: str = "INFO") -> None:
        super().__init__("speaker", settings, build, _warm, concurrency, log_level)

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str = ""
    ) -> tuple[NDArray[np.float32], str]:
        """Embed stretches of speech, each on its own.

        Args:
            windows: Up to 64, mono float32 at 16 kHz each, shape [samples], at least 0.4 s and together at most 300 s.
            correlation_id: Put into this call's log lines.

        Returns:
            L2-normalised embeddings, float32[len(windows), D], and the name of the encoder: only embeddings of one name
            can be compared.

        Raises:
            InputError: A window is too short (``too_short``).
            ValueError: The windows are not as described.
        """
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


speaker_deployment = deployment_of(SpeakerReplica, "speaker")
