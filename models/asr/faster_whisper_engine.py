"""Speech recognition by Whisper (Radford et al., 2022) on CTranslate2, through faster-whisper."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.asr.settings import FasterWhisperSettings
from models.asr.types import Segment, Transcription, Word
from models.asr.whisper_weights import WHISPER
from models.errors import InputError, MissingWeights
from models.spans import Span
from models.vad import SileroVad
from models.weights import resolve

if TYPE_CHECKING:
    from faster_whisper.transcribe import Segment as WhisperSegment

SAMPLE_RATE = 16_000
_log = logging.getLogger(__name__)


class FasterWhisperAsr:
    """Whisper over windows of up to 30 s, ``batch_size`` of them at a time.

    Windows are cut where the voice detector hears a pause and are independent of each other: no text is carried from
    one to the next, decoding is at temperature 0. Without word times, segments come from Whisper's own time marks.

    Raises:
        MissingWeights: The model is not on this machine, or its folder is incomplete.
        ValueError: The GPU does not have the compute type.
    """

    def __init__(self, settings: FasterWhisperSettings) -> None:
        from faster_whisper import WhisperModel

        self._settings = settings
        folder = resolve(settings.model, WHISPER, allow_download=settings.allow_download)
        device = _device(settings)
        self._model = WhisperModel(
            str(folder),
            device=device,
            device_index=settings.device_index,
            compute_type=_compute_type(settings, device),
            cpu_threads=settings.cpu_threads,
            num_workers=settings.workers,
            local_files_only=True,
        )
        filters, mels = len(self._model.feature_extractor.mel_filters), self._model.model.n_mels
        if filters != mels:
            raise MissingWeights(
                f"{folder} has no preprocessor_config.json that asks for the model's {mels} mel bands (it gives "
                f"{filters}); copy that file from the original Whisper model into the folder"
            )
        self._voice_detector = SileroVad(settings.vad)
        self._languages: tuple[str, ...] = tuple(self._model.supported_languages)
        if settings.language is not None:
            self._check_language(settings.language)

    def transcribe(self, pcm: NDArray[np.float32], *, language: str | None = None) -> Transcription:
        """Recognise speech; see `models.asr.types.Asr`.

        The language is the one asked for, else the settings', else detected in the first window. The recogniser runs
        when a segment is asked for.
        """
        if language is not None:
            self._check_language(language)
        windows = self._windows(pcm)
        spoken = language or self._settings.language or self._detect(pcm, windows)
        return Transcription(language=spoken, segments=self._segments(pcm, windows, spoken))

    def _check_language(self, language: str) -> None:
        if language not in self._languages:
            raise InputError(
                "unsupported_language",
                f"this recogniser does not know the language {language!r}; it has: {', '.join(self._languages)}",
                field="language",
            )

    def _windows(self, pcm: NDArray[np.float32]) -> list[Span]:
        if self._settings.vad_filter:
            return self._voice_detector.speech(pcm)
        duration, length = pcm.size / SAMPLE_RATE, self._settings.vad.max_speech
        starts = np.arange(0.0, duration, length)
        return [Span(float(start), min(float(start) + length, duration)) for start in starts]

    def _detect(self, pcm: NDArray[np.float32], windows: list[Span]) -> str:
        first = windows[0] if windows else Span(0.0, self._settings.vad.max_speech)
        sound = pcm[round(first.start * SAMPLE_RATE) : round(first.end * SAMPLE_RATE)]
        language: str
        language, probability, _ = self._model.detect_language(audio=sound)
        _log.info("detected language %s with probability %.2f", language, probability)
        return language

    def _segments(self, pcm: NDArray[np.float32], windows: list[Span], language: str) -> Iterator[Segment]:
        """Recognise batch by batch, so that the features of one batch are in memory at a time."""
        from faster_whisper import BatchedInferencePipeline

        # A pipeline remembers where speech ended: one for each recording. It holds nothing else.
        pipeline = BatchedInferencePipeline(self._model)
        settings = self._settings
        duration = pcm.size / SAMPLE_RATE
        for first in range(0, len(windows), settings.batch_size):
            recognised, _ = pipeline.transcribe(
                pcm,
                language=language,
                beam_size=settings.beam_size,
                temperature=0.0,
                condition_on_previous_text=False,
                word_timestamps=settings.word_timestamps,
                without_timestamps=settings.word_timestamps,
                clip_timestamps=[
                    {"start": window.start, "end": window.end}
                    for window in windows[first : first + settings.batch_size]
                ],
                batch_size=settings.batch_size,
            )
            for segment in recognised:
                if segment.text.strip():
                    yield _segment(segment, duration)


def _device(settings: FasterWhisperSettings) -> str:
    if settings.device != "auto":
        return settings.device
    import ctranslate2

    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _compute_type(settings: FasterWhisperSettings, device: str) -> str:
    """Return the arithmetic to use, one that the device has."""
    import ctranslate2

    supported = ctranslate2.get_supported_compute_types(device, settings.device_index if device == "cuda" else 0)
    wanted = settings.compute_type
    if wanted == "auto":
        wanted = "float16" if device == "cuda" else "int8"
    if wanted in supported:
        return wanted
    if device == "cuda":
        raise ValueError(f"the GPU does not have compute_type {wanted!r}; it has: {', '.join(sorted(supported))}")
    substitute = "int8" if "int8" in supported else "float32"
    _log.warning("this CPU does not have compute_type %s: using %s", wanted, substitute)
    return substitute


def _segment(segment: "WhisperSegment", duration: float) -> Segment:
    """Copy a segment; Whisper's times may point past the end of the recording, and words past their segment."""
    words = tuple(
        Word(
            text=word.word.strip(),
            start=_within(word.start, duration),
            end=_within(word.end, duration),
            probability=min(1.0, float(word.probability)),
        )
        for word in segment.words or ()
        if word.word.strip()
    )
    return Segment(
        start=words[0].start if words else _within(segment.start, duration),
        end=words[-1].end if words else _within(segment.end, duration),
        text=segment.text.strip(),
        words=words,
    )


def _within(seconds: float, duration: float) -> float:
    return round(min(float(seconds), duration), 3)
