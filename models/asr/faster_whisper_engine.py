"""Speech recognition by Whisper (Radford et al., 2022) on CTranslate2, through faster-whisper."""

import logging
import os
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from models.asr.languages import require_language
from models.asr.settings import FasterWhisperSettings
from models.asr.types import Segment, Transcription
from models.asr.whisper_decoding import Hints, WindowDecoder
from models.asr.whisper_language import (
    STRETCH_S,
    LanguageSpan,
    divided,
    main_language,
    most_probable,
    spoken_languages,
    spread,
    stretches,
)
from models.asr.whisper_weights import WHISPER
from models.errors import InputError, MissingWeights
from models.gpu_share import in_batches
from models.spans import Span
from models.vad import SileroVad
from models.vad.silero import speech_spans
from models.weights import resolve

SAMPLE_RATE = 16_000
_MOST_THREADS = 4
_CPU_BATCH = 2
_UTTERANCES = {"min_silence": 0.3, "max_speech": STRETCH_S}
_log = logging.getLogger(__name__)


class FasterWhisperAsr:
    """Whisper over windows of up to 30 s, ``batch_size`` of them at a time, fewer if they exceed the GPU's memory.

    Windows are cut where the voice detector hears a pause and are independent of each other: no text is carried from
    one to the next. Decoding is a beam search; windows that fail by Whisper's thresholds are decoded again one by one,
    by sampling, where there are ``fallback_temperatures``. Without word times, segments come from Whisper's own marks.

    Where no language is named, it is detected between pauses, and windows are cut where it changes.

    Raises:
        MissingWeights: The model is not on this machine, or its folder is incomplete.
        InputError: The model does not know the settings' language.
        ValueError: The GPU does not have the compute type, or the prompt is too long.
    """

    def __init__(self, settings: FasterWhisperSettings) -> None:
        from faster_whisper import WhisperModel

        folder = resolve(settings.model, WHISPER, allow_download=settings.allow_download)
        self._device = device = _device(settings)
        self._model = WhisperModel(
            str(folder),
            device=device,
            device_index=settings.device_index,
            compute_type=_compute_type(settings, device),
            cpu_threads=_threads(settings),
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

    def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """See `models.asr.types.Asr`; together they may take half of the model's context."""
        given = {"hotwords": hotwords, "prompt": prompt}
        for field, text in given.items():
            if text is not None and "<|" in text:
                raise InputError("invalid_value", f"{field} must not contain '<|': it marks commands", field=field)
        hints = self._hints(hotwords, prompt, self._settings)
        if (tokens := self._tokens(hints)) > (most := self._room):
            field = "prompt" if prompt is not None else "hotwords"
            raise InputError(
                "too_long",
                f"hotwords and prompt take {tokens} tokens of this recogniser; the limit is {most}",
                field=field,
            )

    def transcribe(
        self,
        pcm: NDArray[np.float32],
        *,
        language: str | None = None,
        hotwords: str | None = None,
        prompt: str | None = None,
    ) -> Transcription:
        """Recognise speech; see `models.asr.types.Asr`.

        The language is the one asked for, else the settings', else detected. The recogniser runs when a segment is
        asked for.
        """
        settings = self._settings
        if language is not None:
            require_language(self.languages, language)
        self.check_hints(hotwords=hotwords, prompt=prompt)
        short = settings.padding == "short" or (settings.padding == "auto" and self._device == "cpu")
        decoder = WindowDecoder(self._model, settings, pcm, self._hints(hotwords, prompt, settings), short=short)
        windows, utterances = self._cut(pcm, settings)
        spoken = language or settings.language or (None if self._model.model.is_multilingual else "en")
        course = [] if spoken else self._course(decoder, utterances, settings)
        if course:
            spoken = main_language(course)
            _log.info("detected languages %s", ", ".join(f"{span.language} from {span.start:.1f} s" for span in course))
        size = settings.batch_size if self._device == "cuda" else min(_CPU_BATCH, settings.batch_size)
        spoken = spoken or "en"
        return Transcription(spoken, _segments(decoder, divided(windows, course, spoken), size))

    def _hints(self, hotwords: str | None, prompt: str | None, settings: FasterWhisperSettings) -> Hints:
        return Hints(hotwords or settings.hotwords, prompt or settings.initial_prompt)

    @property
    def _room(self) -> int:
        """Tokens that hints may take."""
        return int(self._model.max_length) // 2 - 1

    def _tokens(self, hints: Hints) -> int:
        texts = [text for text in (hints.hotwords, hints.prompt) if text is not None]
        return sum(len(self._model.hf_tokenizer.encode(f" {text}", add_special_tokens=False).ids) for text in texts)

    def _check(self, settings: FasterWhisperSettings) -> None:
        if settings.language is not None:
            require_language(self.languages, settings.language)
        if (tokens := self._tokens(Hints(settings.hotwords, settings.initial_prompt))) > self._room:
            raise ValueError(f"hotwords and initial_prompt take {tokens} tokens; there is room for {self._room}")

    def _cut(self, pcm: NDArray[np.float32], settings: FasterWhisperSettings) -> tuple[list[Span], list[Span]]:
        """Return the windows to decode, and the utterances to detect the language in."""
        duration = pcm.size / SAMPLE_RATE
        if settings.vad_filter:
            probabilities = self._voice_detector.probabilities(pcm)
            utterances = settings.vad.model_copy(update=_UTTERANCES)
            return speech_spans(probabilities, duration, settings.vad), speech_spans(
                probabilities, duration, utterances
            )
        windows = _even(duration, settings.vad.max_speech)
        return windows, _even(duration, STRETCH_S)

    def _course(
        self, decoder: WindowDecoder, utterances: list[Span], settings: FasterWhisperSettings
    ) -> list[LanguageSpan]:
        """Detect the languages of a recording; none where nobody speaks."""
        found = stretches(utterances)
        if not settings.language_switching:
            found = spread(found, settings.language_probes)
        heard = decoder.languages(found)
        if settings.language_switching or not found:
            return spoken_languages(found, heard) if found else []
        return [LanguageSpan(0.0, found[-1].end, most_probable(heard))]


def _even(duration: float, length: float) -> list[Span]:
    starts = np.arange(0.0, duration, length)
    return [Span(float(start), min(float(start) + length, duration)) for start in starts]


def _segments(decoder: WindowDecoder, windows: list[tuple[Span, str]], size: int) -> Iterator[Segment]:
    """Recognise batch by batch, each in one language, so that the features of one batch are in memory at a time."""
    for language, group in groupby(windows, key=itemgetter(1)):
        waiting = [window for window, _ in group]
        while waiting:
            batch, waiting = waiting[:size], waiting[size:]

            def decode(start: int, stop: int, batch: list[Span] = batch, language: str = language) -> list[Segment]:
                return decoder.decode(batch[start:stop], language)

            parts = in_batches(len(batch), len(batch), decode)
            for part in parts:
                yield from part
            # What did not fit once need not be tried again in this recording.
            size = min(size, -(-len(batch) // len(parts))) if len(parts) > 1 else size


def _threads(settings: FasterWhisperSettings) -> int:
    # Not left to the library: under Ray, OMP_NUM_THREADS is 1 for a replica that claims part of a core.
    return settings.cpu_threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))


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
