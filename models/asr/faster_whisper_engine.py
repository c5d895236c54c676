"""Speech recognition by Whisper (Radford et al., 2022) on CTranslate2, through faster-whisper."""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.asr.languages import require_language
from models.asr.settings import FasterWhisperSettings
from models.asr.types import Segment, Transcription
from models.asr.whisper_decoding import WindowDecoder
from models.asr.whisper_weights import WHISPER
from models.errors import MissingWeights
from models.gpu_share import in_batches
from models.spans import Span
from models.vad import SileroVad
from models.weights import resolve

SAMPLE_RATE = 16_000
_log = logging.getLogger(__name__)


class FasterWhisperAsr:
    """Whisper over windows of up to 30 s, ``batch_size`` of them at a time, fewer if they exceed the GPU's memory.

    Windows are cut where the voice detector hears a pause and are independent of each other: no text is carried from
    one to the next. Decoding is a beam search; windows that fail by Whisper's thresholds are decoded again one by one,
    by sampling, where there are ``fallback_temperatures``. Without word times, segments come from Whisper's own marks.

    Raises:
        MissingWeights: The model is not on this machine, or its folder is incomplete.
        InputError: The model does not know the settings' language.
        ValueError: The GPU does not have the compute type, or the prompt is too long.
    """

    def __init__(self, settings: FasterWhisperSettings) -> None:
        from faster_whisper import WhisperModel

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
        self._check(settings)
        self._settings = settings
        self._voice_detector = SileroVad(settings.vad)

    @property
    def languages(self) -> tuple[str, ...]:
        """See `models.asr.types.Asr`; one, English, where the model knows no other."""
        return tuple(self._model.supported_languages)

    def adjust(self, settings: FasterWhisperSettings) -> None:
        """Take other settings of decoding, from the next recording on; see `models.settings.Adjustable`."""
        self._check(settings)
        if settings.vad != self._settings.vad:
            self._voice_detector = SileroVad(settings.vad)
        self._settings = settings

    def transcribe(self, pcm: NDArray[np.float32], *, language: str | None = None) -> Transcription:
        """Recognise speech; see `models.asr.types.Asr`.

        The language is the one asked for, else the settings', else detected in the first window. The recogniser runs
        when a segment is asked for.
        """
        settings = self._settings
        if language is not None:
            require_language(self.languages, language)
        windows = self._windows(pcm, settings)
        spoken = language or settings.language or self._detect(pcm, windows, settings)
        decoder = WindowDecoder(self._model, settings, pcm, spoken)
        return Transcription(language=spoken, segments=_segments(decoder, windows, settings.batch_size))

    def _check(self, settings: FasterWhisperSettings) -> None:
        if settings.language is not None:
            require_language(self.languages, settings.language)
        texts = [text for text in (settings.hotwords, settings.initial_prompt) if text is not None]
        tokens = sum(len(self._model.hf_tokenizer.encode(f" {text}", add_special_tokens=False).ids) for text in texts)
        if tokens > (most := self._model.max_length // 2 - 1):
            raise ValueError(f"hotwords and initial_prompt take {tokens} tokens; there is room for {most}")

    def _windows(self, pcm: NDArray[np.float32], settings: FasterWhisperSettings) -> list[Span]:
        if settings.vad_filter:
            return self._voice_detector.speech(pcm)
        duration, length = pcm.size / SAMPLE_RATE, settings.vad.max_speech
        starts = np.arange(0.0, duration, length)
        return [Span(float(start), min(float(start) + length, duration)) for start in starts]

    def _detect(self, pcm: NDArray[np.float32], windows: list[Span], settings: FasterWhisperSettings) -> str:
        first = windows[0] if windows else Span(0.0, settings.vad.max_speech)
        sound = pcm[round(first.start * SAMPLE_RATE) : round(first.end * SAMPLE_RATE)]
        language: str
        language, probability, _ = self._model.detect_language(audio=sound)
        _log.info("detected language %s with probability %.2f", language, probability)
        return language


def _segments(decoder: WindowDecoder, windows: list[Span], size: int) -> Iterator[Segment]:
    """Recognise batch by batch, so that the features of one batch are in memory at a time."""
    first = 0
    while first < len(windows):
        batch = windows[first : first + size]

        def decode(start: int, stop: int, batch: list[Span] = batch) -> list[Segment]:
            return decoder.decode(batch[start:stop])

        parts = in_batches(len(batch), len(batch), decode)
        for part in parts:
            yield from part
        first += len(batch)
        # What did not fit once need not be tried again in this recording.
        size = min(size, -(-len(batch) // len(parts))) if len(parts) > 1 else size


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
