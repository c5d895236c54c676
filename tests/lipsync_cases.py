"""Speech in shots, for tests of lip-sync engines."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.lipsync import CONTEXT_AFTER_S, CONTEXT_BEFORE_S, Shot

_PARITY = Path(__file__).resolve().parents[2] / "shared" / "parity" / "wav2lip"
_FRAME = 640


def _speech() -> NDArray[np.float32]:
    """Two seconds and a bit of buzz that comes and goes."""
    at = np.arange(33_000) / 16_000
    loud = np.clip(np.sin(2 * np.pi * 1.5 * at), 0, None)
    return (0.3 * loud * np.sign(np.sin(2 * np.pi * 140 * at))).astype(np.float32)


SPEECH = _speech()


def parity() -> Path:
    """Return the folder with another implementation's results; skip the test where there is none, as in a clone."""
    if not _PARITY.is_dir():
        pytest.skip("../shared/parity/wav2lip is not beside this checkout")
    return _PARITY


def whole(speech: NDArray[np.float32]) -> Shot:
    """Return a film of this speech in one shot."""
    return Shot(speech, 0, True, 0, -(-len(speech) // _FRAME))


def cut(speech: NDArray[np.float32], length: int) -> list[Shot]:
    """Return a film of this speech in shots of so many frames, each with the speech around it as engines are given."""
    frames = -(-len(speech) // _FRAME)
    shots = []
    for first in range(0, frames, length):
        count = min(length, frames - first)
        start = max(0, first * _FRAME - int(CONTEXT_BEFORE_S * 16_000))
        stop = (first + count) * _FRAME + int(CONTEXT_AFTER_S * 16_000)
        shots.append(Shot(speech[start:stop], start, stop >= len(speech), first, count))
    return shots
