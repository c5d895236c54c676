"""A speaker encoder that needs no model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fake_roles.failures import Failing
from models.audio import SAMPLE_RATE


class FakeSpeaker(Failing):
    """Tells what it was given: an embedding is the mean and the seconds of the speech."""

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        self.raise_ordered("embed")
        return np.array([[window.mean(), len(window) / SAMPLE_RATE] for window in windows], np.float32), "fake"
