"""Roles and a chat engine for the assistant that need no model."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import numpy as np
from fake_roles import find_speech
from numpy.typing import NDArray
from speech_roles import FakeSpeech

from graphs.assistant.graph import AssistantGraph
from graphs.common.config import AssistantSettings
from models.asr import Segment
from models.chat import Message
from storage.sessions import Sessions


class FakeAsr:
    """Hears what it was told to, in the language that is asked for."""

    def __init__(self, *segments: str) -> None:
        self.segments = segments
        self.heard: list[NDArray[np.float32]] = []

    async def languages(self) -> tuple[str, ...]:
        return ("en", "ru")

    async def transcribe(
        self, recording: Any, *, language: str | None, correlation_id: str
    ) -> AsyncIterator[str | Segment]:
        self.heard.append(recording)
        yield language or "en"
        for text in self.segments:
            yield Segment(0.0, 1.0, text)


class FakeChat:
    """Writes what it was told to, piece by piece; an exception among the pieces is raised in its place.

    Attributes:
        asked: The conversations it was shown.
        gate: Waited for before each piece but the first.
        closed: Replies that were ended, by themselves or by the caller.
    """

    def __init__(self, *pieces: str | Exception) -> None:
        self.pieces = pieces
        self.asked: list[list[Message]] = []
        self.languages: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = 0
        self.down: Exception | None = None

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        self.asked.append(list(messages))
        self.languages.append(language)
        try:
            for number, piece in enumerate(self.pieces):
                if number:
                    await self.gate.wait()
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed += 1

    async def check(self) -> None:
        if self.down is not None:
            raise self.down

    async def aclose(self) -> None:
        return


def assistant(
    sessions: Sessions,
    chat: FakeChat,
    *,
    asr: FakeAsr | None = None,
    speech: Any = None,
    **settings: Any,
) -> AssistantGraph:
    """Return the graph over fakes; silence is zeros."""
    return AssistantGraph(
        asr or FakeAsr("hello"),
        speech or FakeSpeech(),
        chat,
        sessions,
        AssistantSettings(**settings),
        find_speech=find_speech,
    )
