"""Protocol, messages and errors of chat engines."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Speaker = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation."""

    role: Speaker
    content: str


class ChatUnavailable(Exception):
    """The chat server can't be reached or refuses; the message is for the operators' log.

    Attributes:
        retry_after: Seconds after which it may work, where the server says so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChatEngine(Protocol):
    """Answers a conversation. Safe to use from many tasks of one event loop."""

    def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer to the last message, piece by piece; closing the stream early stops the server's work.

        Args:
            messages: The conversation, oldest first; the last is the user's.
            language: ISO 639-1 code of the language to answer in.

        Raises:
            ChatUnavailable: The server failed, after the engine's own tries.
            InputError: The server refuses the conversation itself, for instance for its length.
        """
        ...

    async def check(self) -> None:
        """Ask whether the engine could answer; cheap.

        Raises:
            ChatUnavailable: It could not.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...
