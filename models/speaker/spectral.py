"""The spectral encoder: MFCC, a Gaussian mixture and linear discriminant analysis, without a neural network.

It tells voices apart in a conversation; it does not identify people. What it can and can't do: MODEL_CARD.md.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.speaker.features import mfcc
from models.speaker.mixture import Mixture
from models.speaker.types import check_lengths

CONSTANTS = Path(__file__).with_name("spectral.npz")


class SpectralEncoder:
    """Embeds a stretch of speech by how its sounds deviate from those of the average voice.

    Frames are shared out to the components of a mixture, so that the same sounds are compared with each other;
    the deviations are projected to the directions in which speakers differ most and one speaker varies least
    (LDA). Safe to call from several threads at once.
    """

    def __init__(self) -> None:
        with np.load(CONSTANTS) as constants:
            self._mixture = Mixture(constants["weights"], constants["means"], constants["variances"])
            self._projection: NDArray[np.float32] = constants["projection"]
            self._offset: NDArray[np.float32] = constants["offset"]

    @property
    def name(self) -> str:
        """Name of its embedding space."""
        return "spectral"

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return int(self._projection.shape[1])

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech; see ``models.speaker.types.SpeakerEncoder``."""
        check_lengths(windows)
        embeddings = np.empty((len(windows), self.dimension), dtype=np.float32)
        for row, window in zip(embeddings, windows, strict=True):
            row[:] = self._mixture.deviation(mfcc(window)) @ self._projection - self._offset
        embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), np.float32(1e-9))
        return embeddings
