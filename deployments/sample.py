"""A few seconds of real speech for warming engines."""

from functools import cache
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode
from models.samples import DIALOGUE


@cache
def warm_up_speech(seconds: float = 3.0) -> NDArray[np.float32]:
    """Return the beginning of the bundled dialogue, mono float32 at 16 kHz."""
    recording = BytesIO(DIALOGUE.read_bytes())
    return decode(recording)[: int(seconds * SAMPLE_RATE)]
