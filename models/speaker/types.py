"""Protocol of speaker encoders."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError

SAMPLE_RATE = 16_000

SHORTEST_WINDOW = 0.4
"""Seconds; less speech says next to nothing about a voice."""


class SpeakerEncoder(Protocol):
    """Maps speech to a vector that is near for the same voice and far for others (by cosine).

    Safe to call from several threads at once.
    """

    @property
    def name(self) -> str:
        """Name of its embedding space: only embeddings of one space can be compared."""
        ...

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        ...

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech; each embedding is independent of the other windows.

        Args:
            windows: Mono float32 at 16 kHz each, at least 0.4 s long, lengths may differ; never written to.

        Returns:
            L2-normalised embeddings, shape [len(windows), D].

        Raises:
            InputError: A window is too short (``too_short``).
        """
        ...


def check_lengths(windows: Sequence[NDArray[np.float32]]) -> None:
    """Refuse windows that say too little.

    Raises:
        InputError: A window is too short (``too_short``).
    """
    for window in windows:
        if len(window) < SHORTEST_WINDOW * SAMPLE_RATE:
            seconds = len(window) / SAMPLE_RATE
            raise InputError("too_short", f"A voice takes at least {SHORTEST_WINDOW} s of speech, not {seconds:.2f} s.")
