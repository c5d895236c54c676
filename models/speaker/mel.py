"""Filters on the mel scale."""

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def mel_filters(bands: int, band: tuple[float, float], fft_length: int, sample_rate: int) -> NDArray[np.float32]:
    """Return triangles that are equally wide on the mel scale.

    Args:
        bands: How many.
        band: From where to where, in Hz.
        fft_length: Points of the transform whose powers are weighed.
        sample_rate: In Hz.

    Returns:
        Weights, shape [fft_length // 2 + 1, bands].
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in band)
    corners = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(fft_length, 1 / sample_rate)[:, None]
    rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
