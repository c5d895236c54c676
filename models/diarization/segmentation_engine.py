"""Diarization by local segmentation, speaker embeddings and clustering, with overlap, without PyTorch."""

import numpy as np
from numpy.typing import NDArray

from models.diarization.counts import speaker_count
from models.diarization.grouping import group
from models.diarization.local_speakers import local_speakers, matched
from models.diarization.pyannote_weights import MODEL
from models.diarization.segmentation import Segmenter
from models.diarization.settings import SegmentationSettings
from models.diarization.types import SpeakerTurn
from models.diarization.votes import anybody, elected, overlapping_turns
from models.speaker import build as build_encoder
from models.weights import resolve

SAMPLE_RATE = 16_000


class SegmentationDiarizer:
    """Finds speaker turns, overlapping ones too, in far-field recordings as well as in near ones.

    Each 10 s are segmented into up to three local speakers, their sound is embedded and clustered, and the chunks over
    a frame vote on who speaks in it: the steps of pyannote's pipelines. Memory grows with the recording only by
    segmentations and embeddings. Safe to call from several threads at once.

    Args:
        settings: Its parts and thresholds.

    Raises:
        MissingWeights: The weights of a part are not on this machine.
        ValueError: They are not what the part needs.
    """

    def __init__(self, settings: SegmentationSettings) -> None:
        self._settings = settings
        folder = resolve(settings.model, MODEL, allow_download=settings.allow_download)
        self._segmenter = Segmenter(folder, device=settings.device, threads=settings.threads)
        self._encoder = build_encoder(settings.speaker)

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
        if not len(pcm):
            return ()
        settings = self._settings
        segmentation = self._segmenter.segment(pcm, step=settings.step)
        heard = local_speakers(pcm, segmentation, self._encoder.embed, same_voice=settings.same_voice)
        if not heard:
            # Too little to tell voices apart: all of it is one speaker's.
            speaking = anybody(segmentation)
        else:
            clear = [local.embedding for local in heard if local.alone >= settings.min_alone]
            chosen = np.stack(clear or [local.embedding for local in heard])
            centroids = group(
                chosen,
                count,
                similarity=settings.similarity,
                merge_similarity=settings.merge_similarity,
                min_windows=max(settings.min_speaker_chunks, settings.min_speaker_share * len(chosen)),
            )
            speaking = elected(segmentation, heard, matched(heard, centroids), len(centroids))
        duration = len(pcm) / SAMPLE_RATE
        return overlapping_turns(speaking, duration, merge_gap=settings.merge_gap, min_turn=settings.min_turn)
