"""A chat engine that needs no model."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from fake_roles.failures import Failing
from models.chat import Message


def last_message(messages: Sequence[Message]) -> str:
    """Repeat what was said last."""
    return messages[-1].content


class FakeChat(Failing):
    """Writes what it was told to, piece by piece.

    Args:
        pieces: Texts, or functions that make them of the conversation; an exception is raised in its place.

    Attributes:
        asked: The conversations it was shown.
        languages: Those it was asked to reply in.
        gate: Waited for before each piece but the first.
        closed: Replies that were ended, by themselves or by the caller.
    """

    def __init__(self, *pieces: str | Callable[[Sequence[Message]], str] | Exception) -> None:
        super().__init__()
        self.pieces = pieces
        self.asked: list[list[Message]] = []
        self.languages: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = 0

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        self.asked.append(list(messages))
        self.languages.append(language)
        self.raise_ordered("reply")
        try:
            for number, piece in enumerate(self.pieces):
                if number:
                    await self.gate.wait()
                if isinstance(piece, Exception):
                    raise piece
                yield piece if isinstance(piece, str) else piece(messages)
        finally:
            self.closed += 1

    async def check(self) -> None:
        self.raise_ordered("check")

    async def aclose(self) -> None:
        return
