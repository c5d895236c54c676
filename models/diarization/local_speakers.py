"""Local speakers of a segmentation: the sound to embed of each, and who each is in the whole recording."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import pdist

from models.diarization.segmentation import CENTRE, HOP, Segmentation
from models.speaker import SHORTEST_WINDOW

SAMPLE_RATE = 16_000
FRAME_SECONDS = HOP / SAMPLE_RATE

LONGEST_PIECE = 2.0
"""Seconds of speech in one embedding; in more, the voices of two speakers may be mixed."""

CHUNKS_AT_ONCE = 32
"""Whose sound is copied out and embedded at once: bounds the memory."""

PAUSE = 0.2
"""Seconds; a longer one ends a piece."""

Embed = Callable[[Sequence[NDArray[np.float32]]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A stretch of a local speaker's speech.

    Attributes:
        chunk: Index of the chunk.
        number: Of the speaker in the chunk.
        frames: Frames of the chunk that it consists of, in order.
        alone: Seconds of it in which nobody else speaks.
    """

    chunk: int
    number: int
    frames: NDArray[np.int64]
    alone: float


@dataclass(frozen=True, slots=True, eq=False)
class LocalSpeaker:
    """One voice within one chunk.

    Attributes:
        chunk: Index of the chunk.
        number: Of the speaker in the chunk, whom the segmentation took it for. Several voices may have one number.
        alone: Seconds in which nobody else speaks.
        share: Frames of the number that are this voice's, bool[frames].
        embedding: L2-normalised, shape [D].
    """

    chunk: int
    number: int
    alone: float
    share: NDArray[np.bool_]
    embedding: NDArray[np.float32]


def local_speakers(
    pcm: NDArray[np.float32], segmentation: Segmentation, embed: Embed, *, same_voice: float
) -> list[LocalSpeaker]:
    """Return the local speakers that say enough to be embedded, chunk after chunk.

    The segmentation takes voices that are alike for one speaker where they take turns: pieces of one speaker whose
    embeddings differ are told apart again.

    Args:
        pcm: The recording, mono float32 at 16 kHz.
        segmentation: Of the recording.
        embed: Embeds stretches of sound, see ``models.speaker.types.SpeakerEncoder``.
        same_voice: Mean cosine similarity below which pieces are different voices.
    """
    found: list[LocalSpeaker] = []
    for first in range(0, len(segmentation.starts), CHUNKS_AT_ONCE):
        chunks = range(first, min(first + CHUNKS_AT_ONCE, len(segmentation.starts)))
        numbers = [pieces for chunk in chunks for pieces in _pieces_of(segmentation, chunk, len(pcm))]
        embeddings = iter(embed([_sound(pcm, segmentation, piece) for pieces in numbers for piece in pieces]))
        for pieces in numbers:
            own = np.stack([next(embeddings) for _ in pieces])
            found += _voices(pieces, own, segmentation.active.shape[1], same_voice)
    return found


def matched(heard: Sequence[LocalSpeaker], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    """Find the voice of each local speaker: those of one chunk are different voices where there are enough.

    Args:
        heard: The local speakers; those of one number next to each other, the one with most speech first.
        centroids: L2-normalised, one for each voice, shape [voices, D].

    Returns:
        Index of the voice of each, shape [local speakers]; -1 where a chunk has more speakers than there are voices.
    """
    similarities = np.stack([local.embedding for local in heard]) @ centroids.T
    voices: NDArray[np.int64] = similarities.argmax(axis=1)
    chunks = np.array([local.chunk for local in heard])
    leads = np.array([True, *((a.chunk, a.number) != (b.chunk, b.number) for a, b in pairwise(heard))])
    voices[leads] = -1
    for chunk in np.unique(chunks):
        here = np.flatnonzero((chunks == chunk) & leads)
        rows, columns = linear_sum_assignment(similarities[here], maximize=True)
        voices[here[rows]] = columns
    return voices


def _pieces_of(segmentation: Segmentation, chunk: int, samples: int) -> list[list[Piece]]:
    """Return the pieces of each number of a chunk that has any."""
    # The last chunk reaches beyond the recording.
    frames = (samples - int(segmentation.starts[chunk]) - CENTRE + HOP // 2) // HOP
    active = segmentation.active[chunk, : max(0, frames)]
    return [pieces for number in range(active.shape[1]) if (pieces := _pieces(active, chunk, number))]


def _pieces(active: NDArray[np.bool_], chunk: int, number: int) -> list[Piece]:
    """Cut what a speaker says alone into pieces; all that the speaker says, where that is too little."""
    alone = active[:, number] & (active.sum(axis=1) == 1)
    least = round(SHORTEST_WINDOW / FRAME_SECONDS) + 1
    chosen = alone if alone.sum() >= least else active[:, number]
    pieces = []
    for run in _runs(np.flatnonzero(chosen)):
        count = -(-len(run) // round(LONGEST_PIECE / FRAME_SECONDS))
        pieces += [
            Piece(chunk, number, part, float(alone[part].sum()) * FRAME_SECONDS)
            for part in np.array_split(run, count)
            if len(part) >= least
        ]
    return pieces


def _runs(frames: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if not len(frames):
        return []
    return np.split(frames, np.flatnonzero(np.diff(frames) * FRAME_SECONDS > PAUSE) + 1)


def _sound(pcm: NDArray[np.float32], segmentation: Segmentation, piece: Piece) -> NDArray[np.float32]:
    first = int(segmentation.starts[piece.chunk]) + CENTRE - HOP // 2
    sound: NDArray[np.float32] = pcm[(first + piece.frames[:, None] * HOP + np.arange(HOP)).ravel()]
    return sound


def _voices(
    pieces: Sequence[Piece], embeddings: NDArray[np.float32], frames: int, same_voice: float
) -> list[LocalSpeaker]:
    """Group a number's pieces by voice, the one with most speech first; frames between pieces go to the nearest."""
    labels = np.ones(len(pieces), dtype=np.int32)
    if len(pieces) > 1:
        labels = fcluster(linkage(pdist(embeddings, "cosine"), "average"), 1.0 - same_voice, "distance")
    lengths = np.array([len(piece.frames) for piece in pieces])
    owners = np.repeat(np.arange(len(pieces)), lengths)
    at = np.concatenate([piece.frames for piece in pieces])
    after = np.searchsorted(at, np.arange(frames)).clip(1, len(at) - 1)
    nearest = np.where(np.arange(frames) - at[after - 1] <= at[after] - np.arange(frames), after - 1, after)
    voice_of_frame = labels[owners[nearest]]
    found = []
    for label in sorted(set(labels.tolist()), key=lambda label: -int(lengths[labels == label].sum())):
        total = lengths[labels == label] @ embeddings[labels == label]
        found.append(
            LocalSpeaker(
                pieces[0].chunk,
                pieces[0].number,
                sum(piece.alone for piece, other in zip(pieces, labels, strict=True) if other == label),
                voice_of_frame == label,
                (total / max(float(np.linalg.norm(total)), 1e-9)).astype(np.float32),
            )
        )
    return found
