"""Parts of the bundled recording, for what need not wait until all of it was recognised."""

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode, encode
from models.samples import DIALOGUE

# Ends of turns. Both speakers are told apart in either; in less they are not.
THREE_TURNS_S = 10.2
FIVE_TURNS_S = 17.2


def beginning(seconds: float, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Return the first seconds of the bundled recording, mono."""
    with DIALOGUE.open("rb") as file:
        return decode(file, sample_rate=sample_rate)[: round(seconds * sample_rate)]


def beginning_as_flac(seconds: float) -> bytes:
    return encode([beginning(seconds)], "flac", SAMPLE_RATE)
