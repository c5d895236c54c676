"""What a speaker encoder returns."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class SpeakerEncoder(Protocol):
    """Maps speech to a vector that is near for the same voice and far for others (by cosine)."""

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        ...

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech.

        Args:
            windows: Mono float32 at 16 kHz each, at least 0.4 s long, lengths may differ.

        Returns:
            L2-normalised embeddings, shape [len(windows), D].
        """
        ...
