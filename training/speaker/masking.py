"""Changes to log-mel spectra that cost next to nothing: filters, noise, narrow bands and holes, drawn per crop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speaker.filterbank import BAND, MELS

Spectra = NDArray[np.float32]

NEPERS = float(np.log(10) / 10)
"""Natural logarithm of power in a decibel."""


@dataclass(frozen=True)
class Masking:
    """Probability and strength of the changes to crops.

    Attributes:
        filter_db: Standard deviation of a random filter, dB.
        filters: Share of crops that are filtered.
        noises: Share of crops with noise added, at 5 to 35 dB.
        bands: Share of crops cut to a telephone's band.
        holes: Share of crops in which a stretch of time and one of frequency are blanked.
    """

    filter_db: float
    filters: float
    noises: float
    bands: float
    holes: float


HEAVY = Masking(filter_db=4.0, filters=0.5, noises=0.4, bands=0.25, holes=0.5)
LIGHT = Masking(filter_db=3.0, filters=0.4, noises=0.3, bands=0.2, holes=0.3)


def masked(spectra: Spectra, rng: np.random.Generator, masking: Masking) -> Spectra:
    """Change each crop at random; shape [B, frames, MELS] to the same."""
    count, frames, _ = spectra.shape
    changed = spectra + _smooth(count, rng, masking.filter_db)[:, None] * _chosen(count, rng, masking.filters)
    changed = np.where(_chosen(count, rng, masking.noises), _noisy(changed, rng), changed)
    changed = changed + _band(count, rng)[:, None] * _chosen(count, rng, masking.bands)
    mean = changed.mean(axis=(1, 2), keepdims=True)
    holes = _holes(count, MELS, 8, rng)[:, None, :] | _holes(count, frames, min(12, frames // 8), rng)[:, :, None]
    return np.where(holes & _chosen(count, rng, masking.holes), mean, changed).astype(np.float32)


def _chosen(count: int, rng: np.random.Generator, probability: float) -> NDArray[np.bool_]:
    return rng.random((count, 1, 1)) < probability


def _smooth(count: int, rng: np.random.Generator, decibels: float) -> NDArray[np.float64]:
    """Random smooth curves over the bands, shape [count, MELS]."""
    knots = rng.normal(0, decibels * NEPERS, (count, 8))
    at = np.linspace(0, 7, MELS)
    return np.stack([np.interp(at, np.arange(8), row) for row in knots])


def _noisy(spectra: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    count, frames, _ = spectra.shape
    level = np.log(np.exp(spectra.astype(np.float64)).mean(axis=(1, 2), keepdims=True))
    tilt = rng.uniform(-20, 3, (count, 1)) * np.linspace(0, 1, MELS) * NEPERS
    shape = _smooth(count, rng, 3.0) + tilt
    ratio = rng.uniform(5, 35, (count, 1, 1)) * NEPERS
    grain = np.log(rng.gamma(3.0, 1 / 3, (count, frames, MELS)))
    changed: NDArray[np.float64] = np.logaddexp(spectra, level - ratio + shape[:, None] + grain)
    return changed


def _band(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The slopes of telephones, shape [count, MELS]."""
    low, high = (2595 * np.log10(1 + f / 700) for f in BAND)
    frequency = 700 * (10 ** (np.linspace(low, high, MELS + 2)[1:-1] / 2595) - 1)
    below = np.maximum(0, np.log2(rng.uniform(80, 350, (count, 1)) / frequency))
    above = np.maximum(0, np.log2(frequency / rng.uniform(3200, 4000, (count, 1))))
    return -NEPERS * np.minimum(70, rng.uniform(12, 36, (count, 1)) * below + rng.uniform(40, 120, (count, 1)) * above)


def _holes(count: int, length: int, widest: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    widths = rng.integers(0, widest + 1, (count, 1))
    starts = (rng.random((count, 1)) * (length - widths)).astype(np.int64)
    at = np.arange(length)
    return (at >= starts) & (at < starts + widths)
