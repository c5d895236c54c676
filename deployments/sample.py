"""A few seconds of real speech for warming engines."""

from functools import cache
from importlib.resources import files
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode

SAMPLE = "dialogue.flac"


@cache
def warm_up_speech(seconds: float = 3.0) -> NDArray[np.float32]:
    """Return the beginning of the bundled dialogue, mono float32 at 16 kHz."""
    recording = BytesIO(files("models.samples").joinpath(SAMPLE).read_bytes())
    return decode(recording)[: int(seconds * SAMPLE_RATE)]
