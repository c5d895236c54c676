"""Change of the pace of speech at the same pitch, for models that can't change it themselves, or not so far."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError, MissingWeights
from models.speech.espeak_library import espeak_library

_UNHEARD = 0.01


def stretched(pieces: Iterator[NDArray[np.float32]], sample_rate: int, speed: float) -> Iterator[NDArray[np.float32]]:
    """Make speech faster or slower, by Sonic, which comes with eSpeak NG.

    Args:
        pieces: Mono float32 in [-1, 1], shape [n] each.
        sample_rate: Theirs, in Hz.
        speed: How much faster; up to a hundredth from 1, the speech stays as it is.

    Yields:
        The speech at that speed, as it gets ready.

    Raises:
        InputError: Sonic is not installed (field ``speed``).
    """
    if abs(speed - 1) <= _UNHEARD:
        yield from pieces
        return
    try:
        library = espeak_library()
    except MissingWeights as error:
        raise InputError(
            "bad_speed", "This voice can't speak at this speed here: espeakng-loader is not installed.", field="speed"
        ) from error
    with library.stretched(sample_rate) as stretch:
        for piece in pieces:
            yield _floats(stretch.push(np.rint(np.clip(piece, -1, 1) * 32767).astype(np.int16), speed))
        yield _floats(stretch.flush())


def _floats(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return samples.astype(np.float32) / np.float32(32767)
