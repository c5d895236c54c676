"""Speech recognition by PocketSphinx, with the US English model that its package carries."""

import re
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.asr.languages import require_language
from models.asr.pocketsphinx_pool import DecoderPool, Token
from models.asr.settings import PocketSphinxSettings
from models.asr.types import Segment, Transcription, Word
from models.errors import InputError, MissingWeights
from models.spans import Span
from models.vad import SileroVad

SAMPLE_RATE = 16_000
LANGUAGE = "en"
_FRAMES_PER_SECOND = 100
_AHEAD_PER_WORKER = 4
_PRONUNCIATION = re.compile(r"\(\d+\)$")


class VoiceDetector(Protocol):
    """Finds the utterances of a recording."""

    def speech(self, pcm: NDArray[np.float32]) -> list[Span]:
        """Return the stretches to decode, in order of time."""
        ...


class PocketSphinxAsr:
    """PocketSphinx (Huggins-Daines et al., 2006), utterance by utterance, in decoder processes.

    A voice detector finds the utterances. A few of them are decoded ahead of the reader, so that one recording keeps
    every process busy, and several recordings take turns. Words are lower case, without
    punctuation, and carry no probability: the decoder's scores are no posteriors.

    Args:
        settings: The engine's settings.
        voice_detector: Finds the utterances; Silero VAD where none is given.
    """

    def __init__(self, settings: PocketSphinxSettings, voice_detector: VoiceDetector | None = None) -> None:
        self._settings = settings
        self._voice_detector = voice_detector or SileroVad(settings.vad)
        self._pool = DecoderPool(settings.workers, _decoder_options(settings))
        self._executor = ThreadPoolExecutor(settings.workers, thread_name_prefix="pocketsphinx")
        self._close = weakref.finalize(self, _close, self._executor, self._pool)

    @property
    def languages(self) -> tuple[str, ...]:
        """The only language of the model: English."""
        return (LANGUAGE,)

    def check_hints(self, *, hotwords: str | None, prompt: str | None) -> None:
        """See `models.asr.types.Asr`; its language model is fixed, so that it takes none."""
        for field, text in {"hotwords": hotwords, "prompt": prompt}.items():
            if text is not None:
                raise InputError("unsupported_option", f"this recogniser takes no {field}", field=field)

    def transcribe(
        self,
        pcm: NDArray[np.float32],
        *,
        language: str | None = None,
        hotwords: str | None = None,
        prompt: str | None = None,
    ) -> Transcription:
        """Recognise speech; see `models.asr.types.Asr`.

        The voice detector and the decoders run when the first segment is asked for.
        """
        if language is not None:
            require_language(self.languages, language)
        self.check_hints(hotwords=hotwords, prompt=prompt)
        return Transcription(language=LANGUAGE, segments=self._segments(pcm))

    def close(self) -> None:
        """End the decoder processes; the engine can't be used afterwards."""
        self._close()

    def _segments(self, pcm: NDArray[np.float32]) -> Iterator[Segment]:
        for span, tokens in self._decode(pcm, self._voice_detector.speech(pcm)):
            words = _words(tokens, span)
            if words:
                text = " ".join(word.text for word in words)
                yield Segment(start=words[0].start, end=words[-1].end, text=text, words=words)

    def _decode(self, pcm: NDArray[np.float32], spans: list[Span]) -> Iterator[tuple[Span, list[Token]]]:
        """Decode in parallel, in order, a few utterances ahead of the reader.

        Far enough that a long utterance at the front leaves no process without work behind it.
        """
        ahead: deque[tuple[Span, Future[list[Token]]]] = deque()
        try:
            for span in spans:
                ahead.append((span, self._executor.submit(self._pool.decode, _pcm16(pcm, span))))
                if len(ahead) > _AHEAD_PER_WORKER * self._settings.workers:
                    first, decoding = ahead.popleft()
                    yield first, decoding.result()
            while ahead:
                first, decoding = ahead.popleft()
                yield first, decoding.result()
        finally:
            for _, decoding in ahead:
                decoding.cancel()


def _decoder_options(settings: PocketSphinxSettings) -> dict[str, object]:
    import pocketsphinx

    model = Path(pocketsphinx.get_model_path("en-us"))
    files = {"hmm": model / "en-us", "lm": model / "en-us.lm.bin", "dict": model / "cmudict-en-us.dict"}
    missing = [str(path) for path in files.values() if not path.exists()]
    if missing:
        raise MissingWeights(
            f"PocketSphinx's English model is incomplete, {', '.join(missing)} is missing; "
            "install the package again: pip install --force-reinstall pocketsphinx"
        )
    return {
        **{name: str(path) for name, path in files.items()},
        "loglevel": "ERROR",
        "cmn": "batch",
        "lw": settings.language_weight,
        "beam": settings.beam,
        "fwdflatbeam": settings.flat_beam,
        "fwdflatwbeam": settings.flat_word_beam,
        "bestpath": settings.best_path,
    }


def _pcm16(pcm: NDArray[np.float32], span: Span) -> bytes:
    sound = pcm[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]
    return (np.clip(sound, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def _words(tokens: list[Token], span: Span) -> tuple[Word, ...]:
    """Return the words among the tokens, at their times in the recording."""
    return tuple(
        Word(
            text=_PRONUNCIATION.sub("", token.text),
            start=round(span.start + token.first_frame / _FRAMES_PER_SECOND, 3),
            end=round(min(span.end, span.start + (token.last_frame + 1) / _FRAMES_PER_SECOND), 3),
        )
        for token in tokens
        if not token.text.startswith(("<", "[", "++"))
    )


def _close(executor: ThreadPoolExecutor, pool: DecoderPool) -> None:
    executor.shutdown(wait=False, cancel_futures=True)
    pool.close()
