"""What is counted of a request, whatever becomes of it."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from graphs.http.observability.http_metrics import CLIENT_LEFT, HttpMetricsMiddleware

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Counted:
    """Stands for the metrics, and remembers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        self.requests.append((method, path, status))


async def request(app: Any) -> list[tuple[str, str, int]]:
    """Send one request through the middleware and return what was counted, whether it raised or not."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    counted: Any = Counted()
    middleware = HttpMetricsMiddleware(app, counted)
    await asyncio.gather(middleware({"type": "http", "method": "GET"}, receive, send), return_exceptions=True)
    requests: list[tuple[str, str, int]] = counted.requests
    return requests


async def test_a_response_is_counted_with_its_status() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 202, "headers": []})

    assert await request(app) == [("GET", "unmatched", 202)]


async def test_an_error_without_a_response_counts_as_500() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    assert await request(app) == [("GET", "unmatched", 500)]


async def test_a_client_that_left_before_the_response_is_no_error_of_the_service() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    assert await request(app) == [("GET", "unmatched", CLIENT_LEFT)]


async def test_a_client_that_left_during_the_response_keeps_its_status() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    assert await request(app) == [("GET", "unmatched", 200)]
