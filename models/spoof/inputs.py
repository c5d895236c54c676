"""Checks of the arrays that detectors score."""

import numpy as np
from numpy.typing import NDArray

from models.spoof.types import CHUNK_SAMPLES


def check_chunks(chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
    """Refuse a batch that is not what ``SpoofDetector.score`` takes.

    Raises:
        ValueError: The message says which array is wrong and what it should be.
    """
    check_shapes(chunks, lengths)
    if not np.isfinite(chunks).all():
        raise ValueError("chunks must hold finite samples")


def check_shapes(chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> None:
    """Refuse arrays of another shape or type, and lengths out of range; the samples are not looked at.

    Raises:
        ValueError: The message says which array is wrong and what it should be.
    """
    if chunks.ndim != 2 or chunks.shape[1] != CHUNK_SAMPLES or chunks.dtype != np.float32:
        raise ValueError(f"chunks must be float32[B, {CHUNK_SAMPLES}], not {chunks.dtype}{list(chunks.shape)}")
    if lengths.shape != chunks.shape[:1] or not np.issubdtype(lengths.dtype, np.integer):
        raise ValueError(f"lengths must be int64[{len(chunks)}], not {lengths.dtype}{list(lengths.shape)}")
    if len(lengths) and (lengths.min() < 1 or lengths.max() > CHUNK_SAMPLES):
        raise ValueError(f"lengths must be 1 to {CHUNK_SAMPLES}, not {lengths.min()} to {lengths.max()}")
