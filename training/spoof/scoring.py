"""Recordings scored by a detector in full batches, as the spoof graph scores them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.spoof.types import SpoofDetector
from models.vad import SileroVad
from training.spoof.folders import Recording, SpokenChunk, Unusable, reason, spoken_chunks


@dataclass(frozen=True)
class ScoredFile:
    """Scores of one recording.

    Args:
        recording: The file.
        p_spoof: Mean P(spoof) of its chunks by seconds of speech.
        chunks: P(spoof) of each chunk with speech, float32[chunks].
    """

    recording: Recording
    p_spoof: float
    chunks: NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """Scores of many recordings, and the recordings that could not be scored."""

    files: tuple[ScoredFile, ...]
    unusable: tuple[Unusable, ...]
    without_speech: tuple[Recording, ...]


def score_recordings(
    detector: SpoofDetector,
    recordings: Iterable[Recording],
    *,
    batch: int,
    on_file: Callable[[Recording], None] = lambda _: None,
) -> Scored:
    """Score recordings one after the other, holding one batch of chunks and a block of sound at a time.

    Args:
        detector: Scores the chunks.
        recordings: What to score.
        batch: Chunks of one call of the detector, of several recordings where these are short.
        on_file: Told after each recording is read.
    """
    vad = SileroVad()
    scores: dict[Recording, list[tuple[float, float]]] = {}
    unusable: dict[Recording, Unusable] = {}
    pending: list[tuple[Recording, SpokenChunk]] = []

    def flush() -> None:
        if not pending:
            return
        windows = np.stack([spoken.chunk.window for _, spoken in pending])
        lengths = np.array([spoken.chunk.length for _, spoken in pending], np.int64)
        for (recording, spoken), p_spoof in zip(pending, detector.score(windows, lengths).tolist(), strict=True):
            scores[recording].append((p_spoof, spoken.speech))
        pending.clear()

    for recording in recordings:
        scores[recording] = []
        try:
            for spoken in spoken_chunks(recording.path, vad):
                pending.append((recording, spoken))
                if len(pending) == batch:
                    flush()
        except (InputError, OSError) as error:
            unusable[recording] = Unusable(recording.path, reason(error))
        on_file(recording)
    flush()
    usable = {recording: pairs for recording, pairs in scores.items() if recording not in unusable}
    return Scored(
        files=tuple(_scored_file(recording, pairs) for recording, pairs in usable.items() if pairs),
        unusable=tuple(unusable.values()),
        without_speech=tuple(recording for recording, pairs in usable.items() if not pairs),
    )


def _scored_file(recording: Recording, pairs: list[tuple[float, float]]) -> ScoredFile:
    p_spoof, seconds = np.array(pairs).T
    return ScoredFile(recording, float(np.average(p_spoof, weights=seconds)), p_spoof.astype(np.float32))
