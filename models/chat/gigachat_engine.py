"""Chat through GigaChat, by its own client.

The client keeps its token, renews it a minute before it ends, and once more when the server refuses it. It would also
try again by itself, but in the middle of an answer too, whose beginning would then come twice: that is done here.
"""

import asyncio
import os
import random
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

from gigachat.client import GigaChatAsyncClient
from gigachat.exceptions import GigaChatException, RateLimitError, ResponseError, ServerError
from gigachat.models import Chat, Messages, MessagesRole

from models.chat.access import secret, trust
from models.chat.settings import GigaChatSettings
from models.chat.types import ChatUnavailable, Message
from models.errors import InputError

KEY_VARIABLE = "GIGACHAT_AUTHORIZATION_KEY"
CLIENT_ID_VARIABLE = "GIGACHAT_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "GIGACHAT_CLIENT_SECRET"  # noqa: S105 - a name

_LONGEST_WAIT_S = 10.0
_CHECK_S = 5.0
# Too large, or not to be accepted as it is: the conversation is at fault.
_REFUSALS = (413, 422)


class GigaChatEngine:
    """Streams answers; waits and tries again while nothing was answered yet.

    Args:
        settings: Model, scope and bounds.

    Raises:
        ValueError: The key is not in the environment, or the CA bundle can't be read.
    """

    def __init__(self, settings: GigaChatSettings) -> None:
        self.settings = settings
        self._client = GigaChatAsyncClient(
            base_url=settings.base_url,
            auth_url=settings.auth_url,
            credentials=_credentials(),
            scope=settings.scope,
            timeout=settings.silence_seconds,
            # Given in full: the client would otherwise take these from GIGACHAT_... variables.
            verify_ssl_certs=True,
            ssl_context=trust(settings.ca_bundle),
            max_retries=0,
        )

    async def reply(self, messages: Sequence[Message], *, language: str) -> AsyncGenerator[str, None]:
        """Stream the answer; see ``ChatEngine.reply``. The model goes by the conversation's own language."""
        give_up_at = time.monotonic() + self.settings.max_seconds
        chat = Chat(
            model=self.settings.model,
            messages=[Messages(role=MessagesRole(message.role), content=message.content) for message in messages],
            temperature=self.settings.temperature,
            max_tokens=self.settings.max_tokens,
        )
        try:
            first, pieces = await self._begun(chat)
            async with aclosing(pieces):
                yield first
                async for piece in pieces:
                    yield piece
                    if time.monotonic() > give_up_at:
                        raise ChatUnavailable(f"the answer took longer than {self.settings.max_seconds:g} s")
        except (ChatUnavailable, InputError):
            raise
        except Exception as error:
            raise _translated(error) from error

    async def _begun(self, chat: Chat) -> tuple[str, AsyncGenerator[str, None]]:
        """Return the first piece and those after it; only until then is it harmless to ask again."""
        for attempt in range(self.settings.max_retries + 1):
            pieces = _pieces(self._client.astream(chat))
            try:
                return await anext(pieces), pieces
            except StopAsyncIteration:
                raise ChatUnavailable("GigaChat answered without a text") from None
            except Exception as error:
                wait = self._wait(attempt, error)
                if attempt == self.settings.max_retries or wait is None:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, attempt: int, error: Exception) -> float | None:
        """Return how long to wait before the next try; None where none would help."""
        if not _passing(error):
            return None
        asked = error.retry_after if isinstance(error, RateLimitError) else 0.0
        if asked > _LONGEST_WAIT_S:
            return None
        backoff = self.settings.first_retry_seconds * 2**attempt
        wait: float = max(asked, backoff * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
        return wait

    async def check(self) -> None:
        """Get a token, unless there is one, and ask for the list of models."""
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._client.aget_models()
        except Exception as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _pieces(stream: AsyncIterator[Any]) -> AsyncGenerator[str, None]:
    """Yield the text of a stream's chunks.

    Raises:
        ChatUnavailable: The stream ends before the answer does.
    """
    ended = False
    async for chunk in stream:
        for choice in chunk.choices[:1]:
            ended = ended or choice.finish_reason is not None
            if choice.delta.content:
                yield choice.delta.content
    if not ended:
        raise ChatUnavailable("the answer broke off")


def _credentials() -> str:
    if os.environ.get(KEY_VARIABLE, "").strip():
        return secret(KEY_VARIABLE)
    if not os.environ.get(CLIENT_SECRET_VARIABLE, "").strip():
        raise ValueError(
            f"GigaChat needs {KEY_VARIABLE}, or {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}, in the environment."
        )
    return b64encode(f"{secret(CLIENT_ID_VARIABLE)}:{secret(CLIENT_SECRET_VARIABLE)}".encode()).decode()


def _passing(error: Exception) -> bool:
    """Tell whether a retry may help: after timeouts, lost connections, 429 and 5xx, not after refusals."""
    if isinstance(error, RateLimitError | ServerError):
        return True
    return not isinstance(error, GigaChatException | ValueError | TypeError)


def _translated(error: Exception) -> Exception:
    if isinstance(error, ResponseError):
        if error.status_code in _REFUSALS:
            return InputError("conversation_refused", "GigaChat refuses this conversation.", field="text")
        retry_after = error.retry_after if isinstance(error, RateLimitError) else 0.0
        return ChatUnavailable(f"GigaChat answered {error.status_code}", retry_after=retry_after or None)
    return ChatUnavailable(f"{type(error).__name__}: {error}")
