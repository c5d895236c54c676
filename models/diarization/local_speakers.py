"""Local speakers of a segmentation: the sound to embed of each, and who each is in the whole recording."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.diarization.segmentation import CENTRE, HOP, Segmentation
from models.speaker import SHORTEST_WINDOW

SAMPLE_RATE = 16_000
FRAME_SECONDS = HOP / SAMPLE_RATE


@dataclass(frozen=True, slots=True, eq=False)
class LocalSpeaker:
    """A speaker within one chunk.

    Attributes:
        chunk: Index of the chunk.
        number: Of the speaker in the chunk.
        alone: Seconds in which nobody else speaks.
        pcm: The sound of these seconds, joined; of all the speaker's seconds where these are too few to embed.
    """

    chunk: int
    number: int
    alone: float
    pcm: NDArray[np.float32]


def local_speakers(pcm: NDArray[np.float32], segmentation: Segmentation, *, longest: float) -> list[LocalSpeaker]:
    """Return the local speakers that say enough to be embedded, chunk after chunk.

    Args:
        pcm: The recording, mono float32 at 16 kHz.
        segmentation: Of the recording.
        longest: Seconds of each to embed at most, from the middle of what there is.
    """
    return [
        LocalSpeaker(chunk, number, alone, sound)
        for chunk, (start, active) in enumerate(zip(segmentation.starts, segmentation.active, strict=True))
        for number in range(active.shape[1])
        for alone, sound in [_sound(pcm, int(start), active, number, longest)]
        if len(sound) >= SHORTEST_WINDOW * SAMPLE_RATE
    ]


def matched(
    locals_: list[LocalSpeaker], embeddings: NDArray[np.float32], centroids: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Find the voice of each local speaker: those of one chunk are different voices where there are enough.

    Args:
        locals_: In order of their chunks.
        embeddings: L2-normalised, one for each, shape [local speakers, D].
        centroids: L2-normalised, one for each voice, shape [voices, D].

    Returns:
        Index of the voice of each, shape [local speakers]; -1 where a chunk has more speakers than there are voices.
    """
    similarities = embeddings @ centroids.T
    chunks = np.array([local.chunk for local in locals_])
    voices = np.full(len(locals_), -1, dtype=np.int64)
    for chunk in np.unique(chunks):
        here = np.flatnonzero(chunks == chunk)
        rows, columns = linear_sum_assignment(similarities[here], maximize=True)
        voices[here[rows]] = columns
    return voices


def _sound(
    pcm: NDArray[np.float32], start: int, active: NDArray[np.bool_], number: int, longest: float
) -> tuple[float, NDArray[np.float32]]:
    first = start + CENTRE - HOP // 2
    # The last chunk reaches beyond the recording.
    active = active[: max(0, (len(pcm) - first) // HOP)]
    alone = active[:, number] & (active.sum(axis=1) == 1)
    seconds = float(alone.sum()) * FRAME_SECONDS
    frames = np.flatnonzero(alone if seconds >= SHORTEST_WINDOW + FRAME_SECONDS else active[:, number])
    most = int(longest / FRAME_SECONDS)
    if len(frames) > most:
        # In the middle, clear of who speaks before and after.
        frames = frames[(len(frames) - most) // 2 :][:most]
    return seconds, pcm[(first + frames[:, None] * HOP + np.arange(HOP)).ravel()]
