"""The compact detector: a small network in ONNX Runtime. What it can and can't do: MODEL_CARD.md."""

import os

import numpy as np
from numpy.typing import NDArray

from models.gpu_share import in_batches
from models.onnx_session import open_session
from models.spoof.calibration import Calibration
from models.spoof.checkpoint import INPUT, OUTPUT, SHIPPED, parse
from models.spoof.features import features
from models.spoof.settings import COMPACT, CompactSettings
from models.spoof.types import CHUNK_SAMPLES
from models.weights import resolve

BATCH = 32
"""Chunks of one run of the network: bounds the memory of its activations."""


class CompactDetector:
    """Scores chunks of speech. Safe to call from several threads at once.

    Args:
        settings: Which checkpoint, and how many threads one call uses.

    Raises:
        MissingWeights: The checkpoint is not on this machine.
        ValueError: The file isn't a checkpoint of this detector, or there is no GPU though one is asked for.
    """

    def __init__(self, settings: CompactSettings) -> None:
        path = resolve(settings.model, COMPACT) if settings.model else SHIPPED
        self._threads = settings.threads or os.cpu_count() or 1
        self._session = open_session(path, device=settings.device, threads=self._threads)
        self._metadata = parse(self._session.get_modelmeta().custom_metadata_map, path)

    @property
    def name(self) -> str:
        """Name of the model, from the checkpoint."""
        return self._metadata.name

    @property
    def calibration(self) -> Calibration:
        """Calibration that turns its logits into probabilities."""
        return self._metadata.calibration

    def score(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score chunks of speech; see ``models.spoof.types.SpoofDetector``.

        A short chunk is repeated until it fills 4 s. A chunk's score doesn't depend on the others in its batch.

        Raises:
            ValueError: The arrays are not of the shapes that the protocol names, or a sample isn't finite.
        """
        _check(chunks, lengths)
        return self.calibration.probability(self.logits(chunks, lengths))

    def logits(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the network's raw scores, before calibration; arguments as for ``score``."""
        logits = np.empty(len(chunks), np.float32)

        def run(start: int, stop: int) -> None:
            described = features(chunks[start:stop], lengths[start:stop], threads=self._threads)
            (logits[start:stop],) = self._session.run([OUTPUT], {INPUT: described})

        in_batches(len(chunks), BATCH, run)
        return logits


def _check(chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
    if chunks.ndim != 2 or chunks.shape[1] != CHUNK_SAMPLES or chunks.dtype != np.float32:
        raise ValueError(f"chunks must be float32 of shape [B, {CHUNK_SAMPLES}], not {chunks.dtype} {chunks.shape}")
    if lengths.shape != (len(chunks),) or not np.issubdtype(lengths.dtype, np.integer):
        raise ValueError(f"lengths must be integers of shape [{len(chunks)}], not {lengths.dtype} {lengths.shape}")
    if len(lengths) and (lengths.min() < 1 or lengths.max() > CHUNK_SAMPLES):
        raise ValueError(f"lengths must lie between 1 and {CHUNK_SAMPLES}")
    if not np.isfinite(chunks).all():
        raise ValueError("chunks must hold finite samples")
