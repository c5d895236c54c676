"""A synthesiser and a speaker encoder that need no model."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
from fake_roles import Absent
from numpy.typing import NDArray

from graphs.common.roles import Roles
from models.errors import InputError
from models.speech import Reference, SpeechChunk, Voice

RATE = 16_000
ENGLISH = Voice("en-anna", "Anna", ("en-gb", "en"), "fake", RATE, "female")
RUSSIAN = Voice("ru-boris", "Boris", ("ru",), "fake", RATE, "male")
CLONE = Voice("clone", "Clone", ("en",), "fake-clone", RATE, None, clones=True)


class FakeSpeech:
    """Says each word as a tenth of a second of its length, in chunks of a word; ``!`` breaks it."""

    def __init__(self, *voices: Voice) -> None:
        self.known = voices or (ENGLISH, RUSSIAN, CLONE)
        self.calls: list[dict[str, Any]] = []
        self.closed = 0

    async def voices(self) -> tuple[Voice, ...]:
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
    ) -> AsyncIterator[SpeechChunk]:
        self.calls.append(
            {"text": text, "voice": voice.id, "language": language, "speed": speed, "reference": reference}
        )
        try:
            for word in text.split():
                if word == "!":
                    raise RuntimeError("secret")
                if word == "?":
                    raise InputError("unsayable", "That can't be said.", field="text")
                if word.strip("."):
                    samples = np.full(int(0.1 * RATE / speed), len(word) / 100, np.float32)
                    yield SpeechChunk(samples, voice.sample_rate, word)
        finally:
            self.closed += 1


class FakeSpeaker:
    """An embedding is the mean and the length of the speech."""

    async def embed(
        self, windows: Sequence[NDArray[np.float32]], *, correlation_id: str
    ) -> tuple[NDArray[np.float32], str]:
        return np.array([[window.mean(), len(window)] for window in windows], np.float32), "fake"


def speaking(speech: FakeSpeech | None = None) -> Roles:
    absent: Any = Absent()
    return Roles(asr=absent, translation=absent, speech=speech or FakeSpeech(), speaker=FakeSpeaker(), lipsync=absent)
