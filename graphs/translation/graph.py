"""The speech-to-speech graph: speech, its words, their translation, and that spoken; utterance by utterance."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from deployments.errors import RoleUnavailable
from graphs.common.concurrency import Stopwatch, in_order, in_thread
from graphs.common.progress import Progress
from graphs.common.recordings import SharedRecording
from graphs.common.roles import AsrRole, SpeechRole
from graphs.common.voices import Speaker
from graphs.translation.pairs import check_pair
from graphs.translation.report import SpeechTranslation, TranslatedAudio, TranslatedUtterance, TranslationQuality
from graphs.translation.stages import (
    Event,
    Recognised,
    SpeechFailed,
    Spoken,
    Stages,
    Translated,
    UtteranceEnd,
    speech_failed,
)
from graphs.translation.text import TranslationGraph
from graphs.translation.timeline import Placed, TimeLine
from graphs.translation.utterances import FindSpeech, Utterance, utterances
from models.audio import SAMPLE_RATE

__all__ = [
    "IN_FLIGHT",
    "MAX_SPEED",
    "AudioMade",
    "Event",
    "Recognised",
    "SpeechFailed",
    "SpeechTranslationGraph",
    "Spoken",
    "Translated",
    "TranslationEvent",
    "UtteranceEnd",
    "UtteranceTranslated",
]

IN_FLIGHT = 4
"""Utterances of a recording under way at once."""

MAX_SPEED = 1.35
"""Speech that is too long for its place is spoken faster by so much at most."""

_TOLERATED_S = 0.1
_DETECTION_S = 30.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AudioMade:
    """The next stretch of the translated recording, pauses included: mono float32[n] at the voice's rate."""

    samples: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class UtteranceTranslated:
    """An utterance that is done and has its place; they come in order of time, each after its audio."""

    utterance: TranslatedUtterance


TranslationEvent = AudioMade | UtteranceTranslated | Progress | SpeechTranslation


@dataclass(frozen=True)
class SpeechTranslationGraph:
    """Composes the roles; holds no state of a request.

    Args:
        asr: The speech recogniser.
        translation: The translation of texts.
        speech: The speech synthesiser.
        find_speech: Finds utterances in float32[samples] at 16 kHz; called in a thread. See
            ``graphs.translation.utterances.UTTERANCE_VAD``.
    """

    asr: AsrRole
    translation: TranslationGraph
    speech: SpeechRole
    find_speech: FindSpeech

    async def check_pair(self, source: str | None, target: str) -> None:
        """Ask the translator whether it has a pair; with an unknown source, whether anything goes to the target.

        Raises:
            InputError: It has not, and the message lists what it has, or the pair is of one language.
        """
        check_pair(await self.translation.pairs(), source, target)

    async def recognise(
        self, pcm: NDArray[np.float32], *, source: str | None, correlation_id: str = ""
    ) -> Recognised | None:
        """Return the words of one utterance, which may not be over yet; None where nobody said words.

        Args:
            pcm: See ``utterance``.
            source: Likewise.
            correlation_id: Likewise.

        Raises:
            InputError: The recogniser does not know the language.
        """
        return await Stages(self.asr, self.translation, self.speech, correlation_id).recognise(pcm, source)

    async def utterance(
        self,
        pcm: NDArray[np.float32],
        *,
        source: str | None,
        target: str,
        speaker: Speaker | None,
        correlation_id: str = "",
        recognition: Awaitable[Recognised | None] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Translate one utterance; each event comes as soon as its stage has it.

        Speech in the target language is passed on as it is. Close the generator to stop the stage under way.

        Args:
            pcm: One utterance, mono float32 at 16 kHz, shape [samples].
            source: ISO 639-1 code of its language; None lets the recogniser choose.
            target: That of the language wanted.
            speaker: Who speaks the translation, in the target language; None: it is not spoken.
            correlation_id: Passed on to every role.
            recognition: What ``recognise`` makes of the utterance, where that has begun already.

        Yields:
            ``Recognised``, ``Translated``, any number of ``Spoken``, perhaps ``SpeechFailed``, and ``UtteranceEnd``;
            only the last where no words were spoken.

        Raises:
            InputError: A role can't do what is asked.
        """
        stages = Stages(self.asr, self.translation, self.speech, correlation_id)
        watch = Stopwatch()
        recognised = await watch.time("asr", recognition or stages.recognise(pcm, source))
        if recognised is not None:
            yield recognised
            translated = await watch.time("translation", stages.translate(recognised, target))
            yield translated
            if speaker is not None and translated.text:
                with watch.running("speech"):
                    async with aclosing(stages.speak_or_fail(translated.text, speaker)) as stretches:
                        async for stretch in stretches:
                            yield stretch
        yield UtteranceEnd(watch.timings)

    async def run(
        self,
        recording: SharedRecording,
        *,
        source: str | None,
        target: str,
        speaker: Speaker | None,
        keep_times: bool = True,
        correlation_id: str = "",
    ) -> AsyncGenerator[TranslationEvent, None]:
        """Translate a recording; the translation keeps its time line unless told otherwise.

        An utterance is spoken from where it was said, or from where the one before it ends if that is later. Speech
        that would delay the next utterance is spoken faster, within bounds, and never cut; what delay remains is in
        the report. An utterance that can't be spoken keeps its text. Close the generator to stop the roles.

        Args:
            recording: The recording.
            source: ISO 639-1 code of its language; None lets the recogniser choose, once for the whole recording.
            target: That of the language wanted.
            speaker: Who speaks the translation, in the target language; None: it is not spoken.
            keep_times: False lets utterance follow utterance after a short pause, at the voice's own speed.
            correlation_id: Passed on to every role.

        Yields:
            ``AudioMade``, ``UtteranceTranslated`` and ``Progress``, all in order of time; last the
            ``SpeechTranslation``.

        Raises:
            InputError: A role can't do what is asked.
            Exception: What a role raised; of speech, where not one of the utterances could be spoken.
        """
        await self.check_pair(source, target)
        stages = Stages(self.asr, self.translation, self.speech, correlation_id)
        watch = Stopwatch()
        line = TimeLine(speaker.voice.sample_rate, keep_times=keep_times) if speaker else None
        done: list[TranslatedUtterance] = []
        async with aclosing(in_thread(_timed(utterances(recording.samples, self.find_speech), watch))) as found:
            first = await anext(found, None)
            if first is not None:
                source = source or await self._language_from(first, recording, target, stages, watch)
                run = _Run(recording, source, target, speaker, stages, line, watch)
                async with aclosing(in_order(run.process, _prepended(first, found), IN_FLIGHT)) as results:
                    async for carried in results:
                        if carried.recognised is not None:
                            utterance, pieces = await run.place(carried)
                            for samples in pieces:
                                yield AudioMade(samples)
                            done.append(utterance)
                            yield UtteranceTranslated(utterance)
                        yield Progress(min(1.0, carried.utterance.span.end / recording.duration))
        audio: TranslatedAudio | None = None
        if line is not None:
            audio, pieces = line.finish(recording.duration)
            for samples in pieces:
                yield AudioMade(samples)
        yield SpeechTranslation(
            duration=round(recording.duration, 3),
            source=source,
            target=target,
            voice=speaker.name if speaker is not None else None,
            utterances=tuple(done),
            audio=audio,
            timings=watch.timings,
        )

    async def _language_from(
        self, first: Utterance, recording: SharedRecording, target: str, stages: Stages, watch: Stopwatch
    ) -> str:
        """Return the language that is heard from the first utterance on, checked."""
        begin = round(first.span.start * SAMPLE_RATE)
        heard = recording.samples[begin : begin + round(_DETECTION_S * SAMPLE_RATE)]
        source = await watch.time("asr", stages.language_of(heard))
        await self.check_pair(source, target)
        return source


@dataclass(frozen=True, slots=True)
class _ProcessedUtterance:
    """An utterance behind the roles, at the voice's own speed: its speech, or why there is none.

    Nothing is recognised where no words were spoken.
    """

    utterance: Utterance
    recognised: Recognised | None = None
    translated: Translated | None = None
    speech: NDArray[np.float32] | Exception | None = None


@dataclass(frozen=True)
class _Run:
    """The translation of one recording; without a speaker there is no time line."""

    recording: SharedRecording
    source: str
    target: str
    speaker: Speaker | None
    stages: Stages
    line: TimeLine | None
    watch: Stopwatch

    async def process(self, utterance: Utterance) -> _ProcessedUtterance:
        """Take an utterance through the roles."""
        pcm = utterance.samples(self.recording.samples)
        recognised = await self.watch.time("asr", self.stages.recognise(pcm, self.source))
        if recognised is None:
            return _ProcessedUtterance(utterance)
        translated = await self.watch.time("translation", self.stages.translate(recognised, self.target))
        return _ProcessedUtterance(utterance, recognised, translated, await self._speech(translated.text))

    async def _speech(self, text: str) -> NDArray[np.float32] | Exception | None:
        if self.speaker is None or not text:
            return None
        try:
            return await self.watch.time("speech", self.stages.speech_of(text, self.speaker))
        except RoleUnavailable:
            # It will be there again: another attempt has no gaps.
            raise
        except Exception as error:
            return error

    async def place(self, one: _ProcessedUtterance) -> tuple[TranslatedUtterance, Iterable[NDArray[np.float32]]]:
        """Give an utterance's speech its place; return what is told of it all, and the audio up to its end."""
        assert one.recognised is not None and one.translated is not None
        placed = Placed()
        audio: Iterable[NDArray[np.float32]] = ()
        if self.line is not None and isinstance(one.speech, np.ndarray) and len(one.speech):
            speech, speed = await self._fitted(one.utterance, one.translated.text, one.speech, self.line)
            placed, audio = self.line.place(one.utterance.span.start, speech, speed)
        elif self.line is not None and isinstance(one.speech, Exception):
            self.line.fail(one.speech)
            placed = Placed(error=speech_failed(one.speech).message)
        quality = one.translated.quality
        utterance = TranslatedUtterance(
            start=round(one.utterance.span.start, 3),
            end=round(one.utterance.span.end, 3),
            source_text=one.recognised.text,
            target_text=one.translated.text,
            quality=TranslationQuality.of(quality) if quality is not None else None,
            suspect=one.translated.suspect,
            audio_start=placed.start,
            audio_end=placed.end,
            speed=placed.speed,
            speech_error=placed.error,
        )
        return utterance, audio

    async def _fitted(
        self, utterance: Utterance, text: str, speech: NDArray[np.float32], line: TimeLine
    ) -> tuple[NDArray[np.float32], float]:
        """Return an utterance's speech at the speed at which it fits, and that speed."""
        assert self.speaker is not None
        length = len(speech) / self.speaker.voice.sample_rate
        room = line.room(utterance.span.start, utterance.room_until)
        if length <= room + _TOLERATED_S:
            return speech, 1.0
        speed = round(min(MAX_SPEED, length / room), 2) if room > 0 else MAX_SPEED
        try:
            faster = await self.watch.time("speech", self.stages.speech_of(text, self.speaker, speed))
        except Exception as error:
            _log.warning("speech can't be hurried", exc_info=error)
            return speech, 1.0
        return (faster, speed) if 0 < len(faster) < len(speech) else (speech, 1.0)


def _timed(found: Iterator[Utterance], watch: Stopwatch) -> Iterator[Utterance]:
    while True:
        with watch.running("vad"):
            utterance = next(found, None)
        if utterance is None:
            return
        yield utterance


async def _prepended(first: Utterance, others: AsyncIterator[Utterance]) -> AsyncGenerator[Utterance, None]:
    yield first
    async for other in others:
        yield other
