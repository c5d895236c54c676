"""Reading of a request's body to its end before an early response is sent."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

# What is left of a body that nobody wants is read up to these bounds before the response goes out: a client that is
# still sending may otherwise see its connection reset instead of the response.
LINGER_BYTES = 64 * 1024 * 1024
LINGER_SECONDS = 10.0


class LingerMiddleware:
    """Reads what is left of a request's body, within bounds, before an early response is sent."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received_all = False

        async def watched_receive() -> Message:
            nonlocal received_all
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                received_all = True
            return message

        async def lingering_send(message: Message) -> None:
            if message["type"] == "http.response.start" and not received_all and _has_body(scope):
                await _discard(watched_receive, lambda: received_all)
            await send(message)

        await self._app(scope, watched_receive, lingering_send)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _value in scope["headers"])


async def _discard(receive: Receive, received_all: Any) -> None:
    discarded = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while not received_all() and discarded < LINGER_BYTES:
                discarded += len((await receive()).get("body") or b"")
    except TimeoutError:
        return
