"""Recordings that the fakes understand: a sample's value is what there is to hear, and 0 is silence.

To the spoof detector it is the score that the voice deserves; to the recogniser, a hundredth of the utterance's number.
"""

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.spans import Span


def voice(p_spoof: float, seconds: float) -> NDArray[np.float32]:
    return np.full(round(seconds * SAMPLE_RATE), p_spoof, np.float32)


def said(number: int, seconds: float) -> NDArray[np.float32]:
    """Return the utterance of a number."""
    return voice(number / 100, seconds)


def silence(seconds: float) -> NDArray[np.float32]:
    return voice(0.0, seconds)


def number_of(pcm: NDArray[np.float32]) -> int:
    """Return the number of the loudest utterance of a recording; 0 is silence."""
    return round(100 * float(np.abs(pcm).max(initial=0.0)))


def find_speech(pcm: NDArray[np.float32]) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([False], pcm != 0, [False])).astype(np.int8)))
    return [Span(first / SAMPLE_RATE, last / SAMPLE_RATE) for first, last in edges.reshape(-1, 2).tolist()]
