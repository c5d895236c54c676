"""Random recording channels, drawn anew for every few seconds, so that the encoder does not learn them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.speaker.filterbank import SAMPLE_RATE
from training.spoof.recipe.degrade import add_noise, band_limited, coded, equalised, reverberate

Pcm = NDArray[np.float32]

PIECE = 3 * SAMPLE_RATE


def through_channels(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Send each few seconds of a voice through a room, a microphone, noise, a line and a codec of their own."""
    return np.concatenate([_heard(piece, rng) for piece in _pieces(pcm)])


def _pieces(pcm: Pcm) -> Iterator[Pcm]:
    count = max(1, len(pcm) // PIECE)
    yield from np.array_split(pcm, count)


def _heard(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    # Codecs clip, and no filter is stable on silence alone.
    heard = (pcm * np.float32(0.08 / max(float(np.sqrt(np.mean(np.square(pcm)))), 1e-4))).clip(-1, 1)
    if rng.random() < 0.4:
        heard = reverberate(heard, rng, rng.uniform(0.1, 0.8), rng.uniform(-3, 10))
    if rng.random() < 0.6:
        heard = equalised(heard, rng, rng.uniform(1, 6))
    if rng.random() < 0.5:
        kind = rng.choice(np.array(["white", "pink", "brown", "hum", "babble"]))
        heard = add_noise(heard, rng, float(rng.uniform(8, 35)), kind)
    if rng.random() < 0.3:
        heard = band_limited(heard, float(rng.uniform(80, 350)), float(rng.uniform(3200, 4000)))
    if rng.random() < 0.35:
        heard = coded(heard, rng)
    return heard.astype(np.float32)
