"""Chat through any server with the OpenAI protocol, by OpenAI's own client."""

import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import openai
from openai import AsyncOpenAI

from models.chat.access import secret, trust
from models.chat.settings import OpenAiSettings
from models.chat.types import ChatUnavailable, Message
from models.errors import InputError

# What servers call a conversation that is at fault itself; any other 400 is a fault of the configuration.
_REFUSALS = {"context_length_exceeded", "string_above_max_length", "content_filter", "content_policy_violation"}
_TOO_LONG = ("context length", "context size", "maximum context", "too many tokens")


class OpenAiChat:
    """Streams answers; the client waits and tries again while nothing was answered yet.

    Args:
        settings: Server, model and bounds.

    Raises:
        ValueError: The key is not in the environment, or the CA bundle can't be read.
    """

    def __init__(self, settings: OpenAiSettings) -> None:
        self.settings = settings
        variable = settings.api_key_variable
        self._client = AsyncOpenAI(
            base_url=settings.base_url,
            # The client insists on a key; a server that wants none ignores it.
            api_key=secret(variable) if variable is not None else "none",
            timeout=openai.Timeout(settings.silence_seconds, connect=settings.connect_seconds),
            max_retries=settings.max_retries,
            http_client=openai.DefaultAsyncHttpxClient(verify=trust(settings.ca_bundle)),
        )

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer; see ``ChatEngine.reply``. The model goes by the conversation's own language."""
        give_up_at = time.monotonic() + self.settings.max_seconds
        try:
            async with aclosing(self._pieces(messages)) as pieces:
                async for piece in pieces:
                    yield piece
                    if time.monotonic() > give_up_at:
                        raise ChatUnavailable(f"the answer took longer than {self.settings.max_seconds:g} s")
        except (ChatUnavailable, InputError):
            raise
        except openai.APIStatusError as error:
            raise _translated(error) from error
        except Exception as error:  # the client's own, its transport's, or of a body that is no JSON
            raise ChatUnavailable(f"{type(error).__name__}: {error}") from error

    async def _pieces(self, messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        shown: Any = [{"role": message.role, "content": message.content} for message in messages]
        stream = await self._client.chat.completions.create(
            model=self.settings.model,
            messages=shown,
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
            stream=True,
        )
        ended = False
        async with stream:
            async for chunk in stream:
                for choice in chunk.choices[:1]:
                    ended = ended or choice.finish_reason is not None
                    if choice.delta.content:
                        yield choice.delta.content
        if not ended:
            raise ChatUnavailable("the answer broke off")

    async def check(self) -> None:
        """Ask for the list of models."""
        try:
            await self._client.with_options(max_retries=0, timeout=self.settings.connect_seconds).models.list()
        except Exception as error:
            raise ChatUnavailable(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


def _translated(error: openai.APIStatusError) -> Exception:
    too_long = any(words in error.message.lower() for words in _TOO_LONG)
    if error.status_code == 413 or (error.status_code in (400, 422) and (error.code in _REFUSALS or too_long)):
        return InputError("conversation_refused", "The chat server refuses this conversation.", field="text")
    return ChatUnavailable(
        f"the chat server answered {error.status_code}: {error.message}",
        retry_after=_seconds(error.response.headers.get("retry-after")),
    )


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
