"""Division of recordings into the 4 s chunks that detectors score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.spoof.types import CHUNK_SAMPLES


@dataclass(frozen=True)
class Chunk:
    """A stretch of a recording and the window by which it is judged.

    Args:
        start: Seconds from the recording's start.
        end: Likewise; the last chunk's end is the recording's.
        window: What a detector hears: float32[64000], zero from ``length`` on. A recording's last stretch is heard
            with what came before it, so that no detector meets a padded tail unless the recording is shorter than 4 s.
        length: Samples of the window that are the recording's.
    """

    start: float
    end: float
    window: NDArray[np.float32]
    length: int


def cut(blocks: Iterable[NDArray[np.float32]]) -> Iterator[Chunk]:
    """Cut a recording into consecutive chunks, holding no more of it than two windows and a block.

    Args:
        blocks: Mono float32 at 16 kHz, consecutive, of any lengths.

    Yields:
        The chunks in order of time; none for an empty recording.
    """
    pending = np.empty(0, np.float32)
    previous: NDArray[np.float32] | None = None
    done = 0
    for block in blocks:
        pending = np.concatenate((pending, block))
        while len(pending) >= CHUNK_SAMPLES:
            previous, pending = pending[:CHUNK_SAMPLES], pending[CHUNK_SAMPLES:]
            yield Chunk(done / SAMPLE_RATE, (done + CHUNK_SAMPLES) / SAMPLE_RATE, previous, CHUNK_SAMPLES)
            done += CHUNK_SAMPLES
    if not len(pending):
        return
    end = (done + len(pending)) / SAMPLE_RATE
    if previous is None:
        yield Chunk(0.0, end, padded(pending), len(pending))
    else:
        yield Chunk(done / SAMPLE_RATE, end, np.concatenate((previous, pending))[-CHUNK_SAMPLES:], CHUNK_SAMPLES)


def padded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32[64000]: the samples, at most one chunk of them, and zeros."""
    window = np.zeros(CHUNK_SAMPLES, np.float32)
    window[: len(samples)] = samples
    return window
