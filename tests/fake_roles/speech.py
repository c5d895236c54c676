"""A synthesiser that needs no model."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any

import numpy as np

from fake_roles.failures import Failing
from models.errors import InputError
from models.speech import Reference, SpeechChunk, Voice

RATE = 16_000
ENGLISH = Voice("en-anna", "Anna", ("en-gb", "en"), "fake", RATE, "female", engine="fake")
RUSSIAN = Voice("ru-boris", "Boris", ("ru",), "fake", RATE, "male", engine="fake")
CLONE = Voice("clone", "Clone", ("en",), "fake-clone", RATE, None, clones=True, engine="fake")

Pieces = Callable[[str], Iterable[tuple[str, float, float]]]
"""Cuts a text into what is spoken at once, each with its seconds and its level."""


def words(text: str) -> Iterable[tuple[str, float, float]]:
    """A tenth of a second a word, as loud as the word is long; ``!`` is a fault, ``?`` can't be said."""
    for word in text.split():
        if word == "!":
            raise RuntimeError("secret")
        if word == "?":
            raise InputError("unsayable", "That can't be said.", field="text")
        if word.strip("."):
            yield word, 0.1, len(word) / 100


def letters(text: str) -> Iterable[tuple[str, float, float]]:
    """A tenth of a second a letter, in two pieces, the first of which has the text."""
    yield text, 0.005, 0.5
    yield "", len(text) * 0.1 - 0.005, 0.5


def lasting(seconds: float) -> Pieces:
    """So many seconds for whatever text."""
    return lambda text: [(text, seconds, 0.5)]


class FakeSpeech(Failing):
    """Speaks texts in the lengths that ``pieces`` gives them at the speed 1.

    Args:
        voices: Those that there are.
        pieces: See ``Pieces``.

    Attributes:
        calls: What it was asked for.
        failures: What a text raises in place of its speech.
        gates: Awaited before the speech, by text.
        begun: Set when a text's speech begins.
        endless: Whether speech goes on for ever, in silence.
        open: Texts under way.
        closed: Texts that were under way, to whatever end.
        stopped: Texts whose speech was cancelled.
    """

    def __init__(self, *voices: Voice, pieces: Pieces = words) -> None:
        super().__init__()
        self.known = voices or (ENGLISH, RUSSIAN, CLONE)
        self.pieces = pieces
        self.calls: list[dict[str, Any]] = []
        self.failures: dict[str, Exception] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.begun: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.endless = False
        self.open = 0
        self.closed = 0
        self.stopped: list[str] = []

    @property
    def texts(self) -> list[str]:
        return [call["text"] for call in self.calls]

    @property
    def speeds(self) -> list[tuple[str, float]]:
        return [(call["text"], call["speed"]) for call in self.calls]

    async def voices(self) -> tuple[Voice, ...]:
        self.raise_ordered("voices")
        return self.known

    async def synthesize(
        self,
        text: str,
        *,
        voice: Voice,
        language: str,
        speed: float = 1.0,
        reference: Reference | None = None,
        correlation_id: str,
    ) -> AsyncGenerator[SpeechChunk, None]:
        assert language in voice.languages
        self.calls.append(
            {"text": text, "voice": voice.id, "language": language, "speed": speed, "reference": reference}
        )
        self.begun[text].set()
        self.raise_ordered("synthesize")
        self.open += 1
        try:
            if text in self.gates:
                await self.gates[text].wait()
            if text in self.failures:
                raise self.failures[text]
            spoken = 0.0
            for piece, seconds, level in self.pieces(text):
                # Rounded as a whole, so that the pieces together are as long as the text.
                begin, spoken = spoken, spoken + seconds / speed
                samples = round(spoken * voice.sample_rate) - round(begin * voice.sample_rate)
                yield SpeechChunk(np.full(samples, level, np.float32), voice.sample_rate, piece)
            if self.endless:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped.append(text)
            raise
        finally:
            self.open -= 1
            self.closed += 1
