"""Speaker verification of held-out speakers: how often two windows are taken for one voice, or one voice for two."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.speaker.filterbank import SAMPLE_RATE
from training.speaker.corpus import speech_of
from training.speaker.train_spectral import coloured, through_telephone
from training.spoof.metrics import eer

Pcm = NDArray[np.float32]
Embed = Callable[[Sequence[Pcm]], NDArray[np.float32]]

SEED = 5


def as_recorded(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Leave the window as it is."""
    return pcm


def other_microphone(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Each window through a random microphone of its own, with noise at 10 to 35 dB."""
    return coloured(pcm, rng)


def telephone(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """Each window through a random telephone of its own, with noise."""
    return coloured(through_telephone(pcm, rng), rng)


CONDITIONS: dict[str, Callable[[Pcm, np.random.Generator], Pcm]] = {
    "as_recorded": as_recorded,
    "other_microphone": other_microphone,
    "telephone": telephone,
}


class Trials:
    """Pairs of windows of some recordings, each recording by another speaker.

    Args:
        files: The recordings.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._speech = [speech_of(file) for file in files]

    def equal_error_rate(self, embed: Embed, condition: str, seconds: float) -> float:
        """Score every pair by cosine similarity.

        Args:
            embed: Maps windows to L2-normalised embeddings.
            condition: One of ``CONDITIONS``.
            seconds: Length of a window; windows don't overlap.

        Returns:
            The equal error rate, 0 to 1.
        """
        labelled = list(self._windows(condition, round(seconds * SAMPLE_RATE)))
        speakers = np.array([speaker for speaker, _ in labelled])
        embeddings = embed([window for _, window in labelled])
        first, second = np.triu_indices(len(labelled), 1)
        scores = np.einsum("nd,nd->n", embeddings[first], embeddings[second])
        same = speakers[first] == speakers[second]
        return eer(scores[~same], scores[same])[0]

    def _windows(self, condition: str, samples: int) -> Iterator[tuple[int, Pcm]]:
        for speaker, speech in enumerate(self._speech):
            rng = np.random.default_rng((SEED, speaker))
            for start in range(0, len(speech) - samples + 1, samples):
                yield speaker, CONDITIONS[condition](speech[start : start + samples], rng)
