"""Diarization by voice activity detection, speaker embeddings, agglomerative clustering and Viterbi resegmentation."""

import numpy as np
from numpy.typing import NDArray

from models.diarization.assignment import assign
from models.diarization.counts import speaker_count
from models.diarization.grouping import group
from models.diarization.settings import ClusteringSettings
from models.diarization.turns import turns_of
from models.diarization.types import SpeakerTurn
from models.diarization.windows import STEP, Timeline, timeline
from models.spans import Span
from models.speaker import SpeakerEncoder
from models.speaker import build as build_encoder
from models.vad import SileroVad
from models.vad.silero import farness, speech_spans

SAMPLE_RATE = 16_000


class ClusteringDiarizer:
    """Finds speaker turns that don't overlap: overlapping speech goes to the louder voice.

    Speech is found, embedded in windows and clustered; the clusters' centroids then compete for every 0.1 s of
    speech, where a change of speaker costs less at a pause. Memory grows with the recording only by its
    embeddings. Safe to call from several threads at once.

    Args:
        settings: Its parts and thresholds.

    Raises:
        MissingWeights: The voice activity detector's weights are not on this machine.
    """

    def __init__(self, settings: ClusteringSettings) -> None:
        self._settings = settings
        self._thresholds = settings.thresholds
        self._vad = SileroVad(settings.vad)
        self._encoder: SpeakerEncoder = build_encoder(settings.speaker)

    def diarize(
        self,
        pcm: NDArray[np.float32],
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
    ) -> tuple[SpeakerTurn, ...]:
        """Find the speaker turns; see ``models.diarization.types.Diarizer``.

        Where there is less speech than speakers asked for, fewer are found.
        """
        count = speaker_count(num_speakers, min_speakers, max_speakers)
        probabilities = self._vad.probabilities(pcm)
        speech = speech_spans(probabilities, len(pcm) / SAMPLE_RATE, self._settings.vad)
        if not speech:
            return ()
        settings = self._settings
        times = timeline(speech, len(pcm) / SAMPLE_RATE, window=settings.window, hop=settings.hop)
        if not times.windows:
            voices = np.zeros(len(times.starts), dtype=np.int64)
        else:
            embeddings = self._encoder.embed([_cut(pcm, window.span) for window in times.windows])
            centroids = group(
                embeddings,
                count,
                similarity=self._thresholds.similarity,
                merge_similarity=self._thresholds.merged_at(farness(probabilities)),
                min_windows=max(settings.min_speaker_time / settings.hop, settings.min_speaker_share * len(embeddings)),
            )
            voices = self._assign(times, embeddings, centroids)
        return turns_of(times, voices, merge_gap=settings.merge_gap, min_turn=settings.min_turn)

    def _assign(
        self, times: Timeline, embeddings: NDArray[np.float32], centroids: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        return assign(
            times,
            embeddings,
            centroids,
            change_cost=self._thresholds.change_cost / STEP,
            pause_cost=self._thresholds.pause_cost / STEP,
        )


def _cut(pcm: NDArray[np.float32], span: Span) -> NDArray[np.float32]:
    # Rounding must not make the shortest window shorter than an encoder needs.
    first = int(span.start * SAMPLE_RATE)
    return pcm[first : first + int(np.ceil(span.duration * SAMPLE_RATE))]
