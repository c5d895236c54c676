"""Silence at the ends of synthetic speech."""

import numpy as np
from numpy.typing import NDArray

_FRAME_S = 0.01
# 40 dB below the loudest: the faintest fricatives are above it.
_HEARD = 0.01
_KEPT_BEFORE_S = 0.03
_KEPT_AFTER_S = 0.05


def trimmed(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Return a clause's speech without the silence that a model puts around it, all but a few hundredths of a second.

    Pauses between clauses are ``models.speech.streaming``'s, and silence at the beginning is what a listener waits for.

    Args:
        samples: Mono, shape [n].
        sample_rate: In Hz.

    Returns:
        A part of them; nothing where nothing is heard.
    """
    frame = round(_FRAME_S * sample_rate)
    loudness = np.abs(samples[: len(samples) // frame * frame]).reshape(-1, frame).max(axis=1, initial=0.0)
    heard = np.flatnonzero(loudness > _HEARD * loudness.max(initial=0.0))
    if not len(heard):
        return samples[:0]
    begin = heard[0] * frame - round(_KEPT_BEFORE_S * sample_rate)
    end = (heard[-1] + 1) * frame + round(_KEPT_AFTER_S * sample_rate)
    return samples[max(begin, 0) : end]
