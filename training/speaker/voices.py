"""More voices than were recorded: each one played at other speeds and with another pitch and vocal tract.

The vocoder is WORLD (Morise et al., 2016): it takes speech apart into pitch, spectral envelope and aperiodicity.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.speaker.filterbank import SAMPLE_RATE
from training.spoof.recipe.degrade import speed

Pcm = NDArray[np.float32]

SPEEDS = (0.87, 0.935, 1.07, 1.15)
"""Playback speeds that make another voice; they move pitch and formants together."""

PITCH_AND_TRACT = (
    (0.8, 1.0),
    (1.26, 1.0),
    (1.0, 0.89),
    (1.0, 1.12),
    (0.78, 0.9),
    (1.28, 1.1),
    (1.2, 0.91),
    (0.84, 1.1),
)
"""Factors on the fundamental frequency and on the formants' frequencies that make another voice."""

JITTER = 0.02
PITCH_RANGE = (60.0, 500.0)
VOICES_PER_SPEAKER = 1 + len(SPEEDS) + len(PITCH_AND_TRACT)


@dataclass(frozen=True)
class _Analysis:
    pitch: NDArray[np.float64]
    envelope: NDArray[np.float64]
    aperiodicity: NDArray[np.float64]


def voices_from(pcm: Pcm, rng: np.random.Generator) -> Iterator[Pcm]:
    """Make voices of one.

    Args:
        pcm: What one person says, mono float32 at 16 kHz.
        rng: Moves the factors a little, so that no two people get the same ones.

    Yields:
        ``VOICES_PER_SPEAKER`` voices saying it, the person's own first.
    """
    yield pcm
    for factor in SPEEDS:
        yield speed(pcm, factor * _jitter(rng))
    analysis = _analysed(pcm)
    for pitch, tract in PITCH_AND_TRACT:
        yield _synthesised(analysis, pitch * _jitter(rng), tract * _jitter(rng))


def _jitter(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-JITTER, JITTER)))


def _analysed(pcm: Pcm) -> _Analysis:
    import pyworld

    samples = pcm.astype(np.float64)
    rough, times = pyworld.dio(samples, SAMPLE_RATE, f0_floor=PITCH_RANGE[0], f0_ceil=PITCH_RANGE[1])
    pitch = pyworld.stonemask(samples, rough, times, SAMPLE_RATE)
    envelope = pyworld.cheaptrick(samples, pitch, times, SAMPLE_RATE)
    return _Analysis(pitch, envelope, pyworld.d4c(samples, pitch, times, SAMPLE_RATE))


def _synthesised(analysis: _Analysis, pitch: float, tract: float) -> Pcm:
    import pyworld

    bins = analysis.envelope.shape[1]
    sources = np.clip(np.arange(bins) / tract, 0, bins - 1)
    below = np.floor(sources).astype(np.int64)
    above, part = np.minimum(below + 1, bins - 1), sources - below
    logs = np.log(analysis.envelope)
    envelope = np.ascontiguousarray(np.exp((1 - part) * logs[:, below] + part * logs[:, above]))
    made = pyworld.synthesize(analysis.pitch * pitch, envelope, analysis.aperiodicity, SAMPLE_RATE)
    return np.asarray(made, dtype=np.float32)
