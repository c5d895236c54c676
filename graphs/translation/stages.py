"""Stages of an utterance: recognition, translation and synthesis, each by its role."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from graphs.common.concurrency import closing
from graphs.common.roles import AsrRole, SpeechRole
from graphs.common.voices import Speaker
from graphs.translation.text import TranslationGraph
from models.asr.non_speech import is_non_speech
from models.errors import InputError
from models.translation import Quality

# Their words are written without spaces between them.
_UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "km", "my"})

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recognised:
    """Recognised text of an utterance.

    Attributes:
        text: Never empty.
        language: ISO 639-1 code, asked for or detected.
    """

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Translated:
    """Translated text of an utterance.

    Attributes:
        text: The translation; the words themselves where they were in the target language already.
        quality: How sure the model is; None where it has no probabilities or nothing was to be translated.
        suspect: Whether the translation looks like none.
    """

    text: str
    quality: Quality | None
    suspect: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of the translation's speech; stretches follow each other without a gap.

    Attributes:
        samples: Mono float32 in [-1, 1], shape [n].
        sample_rate: In Hz; the same for all of one utterance.
        text: The clause that begins with this stretch; empty for its further ones.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    text: str


@dataclass(frozen=True, slots=True)
class SpeechFailed:
    """The translation could not be spoken, or not to its end; its text stands.

    Attributes:
        code: A stable machine-readable name.
        message: A sentence for a person.
    """

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """The last event of an utterance, and its only one where no words were spoken.

    Attributes:
        timings: Seconds by stage: ``asr``, ``translation``, ``speech``.
    """

    timings: dict[str, float]


Event = Recognised | Translated | Spoken | SpeechFailed | UtteranceEnd


@dataclass(frozen=True)
class Stages:
    """The roles, one stage each, for the utterances of one speaker of the source language.

    Args:
        asr: The speech recogniser.
        translation: The translation of texts.
        speech: The speech synthesiser.
        correlation_id: Passed on to every role.
    """

    asr: AsrRole
    translation: TranslationGraph
    speech: SpeechRole
    correlation_id: str

    async def language_of(self, pcm: NDArray[np.float32]) -> str:
        """Return the language that the recogniser hears."""
        stream = self.asr.transcribe(pcm, language=None, correlation_id=self.correlation_id)
        async with closing(stream) as items:
            async for item in items:
                if isinstance(item, str):
                    return item
        raise RuntimeError("the recogniser named no language")

    async def recognise(self, pcm: NDArray[np.float32], source: str | None) -> Recognised | None:
        """Return what was said, None where nobody said words."""
        language = source or ""
        said: list[str] = []
        stream = self.asr.transcribe(pcm, language=source, correlation_id=self.correlation_id)
        async with closing(stream) as items:
            async for item in items:
                if isinstance(item, str):
                    language = item
                elif not is_non_speech(item.text):
                    said.append(item.text.strip())
        text = ("" if language in _UNSPACED else " ").join(said)
        return None if is_non_speech(text) else Recognised(text, language)

    async def translate(self, recognised: Recognised, target: str) -> Translated:
        """Return what it means; what is in the target language already stays as it is."""
        if recognised.language == target:
            return Translated(recognised.text, None, suspect=False)
        translated = await self.translation.translate(
            recognised.text, recognised.language, target, correlation_id=self.correlation_id
        )
        return Translated(translated.text, translated.quality, translated.suspect)

    async def speak(self, text: str, speaker: Speaker, speed: float = 1.0) -> AsyncGenerator[Spoken, None]:
        """Yield speech as it comes."""
        stream = self.speech.synthesize(
            text,
            voice=speaker.voice,
            language=speaker.language,
            speed=speed,
            reference=speaker.reference,
            correlation_id=self.correlation_id,
        )
        rate = speaker.voice.sample_rate
        async with closing(stream) as chunks:
            async for chunk in chunks:
                if chunk.sample_rate != rate:
                    raise RuntimeError(f"{speaker.voice.id} speaks at {chunk.sample_rate} Hz, not {rate}")
                yield Spoken(chunk.samples, rate, chunk.text)

    async def speak_or_fail(self, text: str, speaker: Speaker) -> AsyncGenerator[Spoken | SpeechFailed, None]:
        """Yield speech as it comes, and where it fails, that."""
        async with aclosing(self.speak(text, speaker)) as stretches:
            try:
                async for stretch in stretches:
                    yield stretch
            except Exception as error:
                yield speech_failed(error)

    async def speech_of(self, text: str, speaker: Speaker, speed: float = 1.0) -> NDArray[np.float32]:
        """Return speech as a whole."""
        async with aclosing(self.speak(text, speaker, speed)) as stretches:
            samples = [stretch.samples async for stretch in stretches]
        return np.concatenate(samples) if samples else np.zeros(0, np.float32)


def speech_failed(error: Exception) -> SpeechFailed:
    """Return the event of a failed synthesis; a fault's details go to the log."""
    if isinstance(error, InputError):
        return SpeechFailed(error.code, error.message)
    _log.warning("speech failed", exc_info=error)
    return SpeechFailed("speech_failed", "The translation could not be spoken.")
