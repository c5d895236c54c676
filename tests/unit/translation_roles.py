"""Roles for speech translation that need no model.

A sample's value says which utterance it belongs to: 0.01 is the first, 0.02 the second; 0 is silence.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np
from fake_roles import find_speech, voice
from numpy.typing import NDArray

from graphs.common.recordings import SharedRecording
from graphs.common.voices import Speaker
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.text import TranslationGraph
from models.asr import Segment
from models.audio import SAMPLE_RATE
from models.speech import Reference, SpeechChunk, Voice
from models.translation import Quality, Sentence, Translation

RATE = 8000
ANNA = Voice("anna", "Anna", ("es",), "anna", RATE)
CLONE = Voice("clone", "Clone", ("es", "en"), "clone", RATE, clones=True)
SPEAKER = Speaker(ANNA, "es", None, "anna")
QUALITY = Quality(2.0, 0.9, 0.5)


def said(number: int, seconds: float) -> NDArray[np.float32]:
    """Return an utterance."""
    return voice(number / 100, seconds)


def recording(*parts: NDArray[np.float32]) -> SharedRecording:
    pcm = np.concatenate(parts)
    pcm.flags.writeable = False
    return SharedRecording(pcm, pcm)


class FakeAsr:
    """Recognises the utterances by their numbers; each waits for its gate where it has one."""

    def __init__(self, *texts: str, language: str = "en") -> None:
        self.texts = texts
        self.language = language
        self.begun: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self.gates: dict[int, asyncio.Event] = {}
        self.stopped: list[int] = []
        self.asked: list[str | None] = []

    async def languages(self) -> tuple[str, ...]:
        return ("en", "ru")

    async def transcribe(
        self, recording: Any, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        number = round(float(recording[0]) * 100)
        self.asked.append(language)
        self.begun[number].set()
        try:
            yield language or self.language
            if number in self.gates:
                await self.gates[number].wait()
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.append(number)
            raise
        yield Segment(0.0, len(recording) / SAMPLE_RATE, self.texts[number - 1])


class FakeTranslation:
    """Translates to capitals."""

    def __init__(self, pairs: Mapping[str, frozenset[str]] | None = None) -> None:
        self._pairs = pairs or {"en": frozenset({"es", "fr"})}

    async def pairs(self) -> Mapping[str, frozenset[str]]:
        return self._pairs

    async def translate(self, sentences: Sequence[Sentence], *, correlation_id: str) -> list[Translation]:
        assert all(sentence.target in self._pairs[sentence.source] for sentence in sentences)
        return [Translation(sentence.text.upper(), 3, QUALITY) for sentence in sentences]


class FakeSpeech:
    """Speaks a tenth of a second a letter; each text waits for its gate, and fails, where it shall."""

    def __init__(self) -> None:
        self.begun: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: dict[str, Exception] = {}
        self.speeds: list[tuple[str, float]] = []
        self.references: list[Reference | None] = []
        self.stopped: list[str] = []

    async def voices(self) -> tuple[Voice, ...]:
        return ANNA, CLONE

    async def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str,
    ) -> AsyncIterator[SpeechChunk]:
        assert language in voice.languages
        self.speeds.append((text, speed))
        self.references.append(reference)
        self.begun[text].set()
        try:
            if text in self.gates:
                await self.gates[text].wait()
        except asyncio.CancelledError:
            self.stopped.append(text)
            raise
        if text in self.failures:
            raise self.failures[text]
        samples = np.full(round(len(text) * 0.1 * voice.sample_rate / speed), 0.5, np.float32)
        yield SpeechChunk(samples[:50], voice.sample_rate, text)
        yield SpeechChunk(samples[50:], voice.sample_rate)


def graph(
    asr: FakeAsr, speech: FakeSpeech | None = None, translation: FakeTranslation | None = None
) -> SpeechTranslationGraph:
    texts = TranslationGraph(translation or FakeTranslation())
    return SpeechTranslationGraph(asr, texts, speech or FakeSpeech(), find_speech)
