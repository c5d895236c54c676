"""Embedding of windows of different lengths, in batches of one length each, without padding."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.gpu_share import in_batches
from models.speaker.types import check_lengths

_SHORTEST_NORM = np.float32(1e-9)


def embedded(
    windows: Sequence[NDArray[np.float32]],
    dimension: int,
    batch: int,
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Embed windows; see ``models.speaker.types.SpeakerEncoder``. Batches that the GPU has no room for are halved.

    Args:
        windows: What to embed.
        dimension: Length D of an embedding.
        batch: Windows of one run, at most.
        run: Embeds windows of one length, float32[windows, samples].

    Returns:
        L2-normalised embeddings, shape [len(windows), D].

    Raises:
        InputError: A window is too short (``too_short``).
    """
    check_lengths(windows)
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for index, window in enumerate(windows):
        by_length[len(window)].append(index)
    embeddings = np.empty((len(windows), dimension), dtype=np.float32)
    for indices in by_length.values():

        def embed(start: int, stop: int, indices: list[int] = indices) -> None:
            chosen = indices[start:stop]
            embeddings[chosen] = run(np.stack([windows[index] for index in chosen]))

        in_batches(len(indices), batch, embed)
    embeddings /= np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), _SHORTEST_NORM)
    return embeddings
