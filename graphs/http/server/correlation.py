"""The correlation id of a request: taken from the caller or made, echoed, and put into every log line."""

import re
from uuid import uuid4

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CORRELATION_HEADER = "X-Correlation-ID"
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def correlation_id_of(connection: HTTPConnection) -> str:
    """Return the id that the middleware gave this request."""
    return str(connection.scope.get("correlation_id", ""))


def acceptable_or_new(offered: str) -> str:
    """Return the id that a caller offers if it can stand in logs and headers as it is, else a new one.

    Acceptable are at most 128 letters, digits, dots, colons, dashes or underscores.
    """
    return offered if _ACCEPTABLE.fullmatch(offered) else str(uuid4())


class CorrelationMiddleware:
    """Gives every request a correlation id, its caller's own where that is acceptable."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        correlation_id = acceptable_or_new(HTTPConnection(scope).headers.get(CORRELATION_HEADER, ""))
        scope["correlation_id"] = correlation_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        await self._app(scope, receive, send_with_id)
