"""Decoding of Whisper's windows, with its thresholds against text that nobody said (Radford et al., 2022, 4.5)."""

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.asr.settings import FasterWhisperSettings
from models.asr.types import Segment, Word
from models.spans import Span

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment as WhisperSegment

SAMPLE_RATE = 16_000


class WindowDecoder:
    """Decodes windows of one recording.

    Args:
        model: The network.
        settings: How to decode.
        pcm: The recording, mono float32 at 16 kHz, shape [samples].
        language: ISO 639-1 code.
    """

    def __init__(
        self, model: "WhisperModel", settings: FasterWhisperSettings, pcm: NDArray[np.float32], language: str
    ) -> None:
        from faster_whisper import BatchedInferencePipeline

        self._model = model
        # A pipeline remembers where speech ended: one for each recording. It holds nothing else.
        self._pipeline = BatchedInferencePipeline(model)
        self._settings = settings
        self._pcm = pcm
        self._duration = pcm.size / SAMPLE_RATE
        self._options: dict[str, Any] = {
            "language": language,
            "beam_size": settings.beam_size,
            "condition_on_previous_text": False,
            "initial_prompt": settings.initial_prompt,
            "hotwords": settings.hotwords,
            "word_timestamps": settings.word_timestamps,
            "without_timestamps": settings.word_timestamps,
        }

    def decode(self, windows: list[Span]) -> list[Segment]:
        """Decode windows together; return their segments in order of time."""
        segments: list[Segment] = []
        for window, decoded in zip(windows, self._together(windows), strict=True):
            segments += self._alone(window) if self._to_be_repeated(decoded) else self._kept(decoded, 0.0)
        return segments

    def _together(self, windows: list[Span]) -> list[list["WhisperSegment"]]:
        """Decode windows as one batch, at temperature 0; return the segments of each."""
        decoded, _ = self._pipeline.transcribe(
            self._pcm,
            temperature=0.0,
            clip_timestamps=[{"start": window.start, "end": window.end} for window in windows],
            batch_size=len(windows),
            **self._options,
        )
        # All segments of a window name its first frame, of 10 ms.
        found = {frame: list(segments) for frame, segments in groupby(decoded, lambda segment: segment.seek)}
        frames = [int(int(window.start * SAMPLE_RATE) / SAMPLE_RATE * 100) for window in windows]
        return [found.get(frame, []) for frame in frames]

    def _alone(self, window: Span) -> list[Segment]:
        """Decode a window by sampling, at higher and higher temperatures, as Whisper does with all it hears."""
        settings = self._settings
        decoded, _ = self._model.transcribe(
            self._pcm[int(window.start * SAMPLE_RATE) : int(window.end * SAMPLE_RATE)],
            temperature=list(settings.fallback_temperatures),
            compression_ratio_threshold=settings.compression_ratio_threshold,
            log_prob_threshold=settings.log_prob_threshold,
            no_speech_threshold=settings.no_speech_threshold,
            **self._options,
        )
        return self._kept(list(decoded), window.start)

    def _to_be_repeated(self, decoded: list["WhisperSegment"]) -> bool:
        settings = self._settings
        if not decoded or not settings.fallback_temperatures or self._is_silence(decoded[0]):
            return False
        return self._is_unlikely(decoded[0]) or (
            settings.compression_ratio_threshold is not None
            and _compression_ratio(decoded) > settings.compression_ratio_threshold
        )

    def _is_unlikely(self, segment: "WhisperSegment") -> bool:
        # The probabilities are those of the window, the same in all its segments.
        least = self._settings.log_prob_threshold
        return least is not None and segment.avg_logprob < least

    def _is_silence(self, segment: "WhisperSegment") -> bool:
        most = self._settings.no_speech_threshold
        return most is not None and segment.no_speech_prob > most and self._is_unlikely(segment)

    def _kept(self, decoded: list["WhisperSegment"], offset: float) -> list[Segment]:
        return [
            _segment(segment, offset, self._duration)
            for segment in decoded
            if segment.text.strip() and not self._is_silence(segment)
        ]


def _compression_ratio(decoded: list["WhisperSegment"]) -> float:
    from faster_whisper.transcribe import get_compression_ratio

    ratio: float = get_compression_ratio("".join(segment.text for segment in decoded))
    return ratio


def _segment(segment: "WhisperSegment", offset: float, duration: float) -> Segment:
    """Copy a segment; Whisper's times may point past the end of the recording, and words past their segment."""

    def within(seconds: float) -> float:
        return round(min(float(seconds) + offset, duration), 3)

    words = tuple(
        Word(
            text=word.word.strip(),
            start=within(word.start),
            end=within(word.end),
            probability=min(1.0, float(word.probability)),
        )
        for word in segment.words or ()
        if word.word.strip()
    )
    return Segment(
        start=words[0].start if words else within(segment.start),
        end=words[-1].end if words else within(segment.end),
        text=segment.text.strip(),
        words=words,
    )
