"""Protocol and results of voice-spoof detection."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CHUNK_SAMPLES = 64_000
"""Samples of one chunk: 4 s at 16 kHz."""


@dataclass(frozen=True)
class Bands:
    """Thresholds of the verdict on P(spoof).

    Args:
        bona_fide_below: Below this the voice is taken for real.
        spoof_from: From this on it is taken for synthetic; between the two the verdict is inconclusive.
    """

    bona_fide_below: float
    spoof_from: float


@dataclass(frozen=True)
class SpoofScores:
    """Scores of some chunks, with what is needed to judge them.

    Args:
        p_spoof: Calibrated P(spoof) of each chunk, float32[B].
        bands: Thresholds of the verdict, from the engine's current settings.
        engine: Name of the engine.
    """

    p_spoof: NDArray[np.float32]
    bands: Bands
    engine: str


class SpoofDetector(Protocol):
    """Tells synthetic voices from real ones."""

    def score(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score chunks of speech.

        Args:
            chunks: Mono float32 at 16 kHz, shape [B, 64000], zero after a short chunk's end.
            lengths: Samples of each chunk that are the recording's, shape [B], 1 to 64000.

        Returns:
            Calibrated P(spoof), 1 for synthetic and 0 for bona fide, float32 of shape [B].
        """
        ...
