"""Reading of a request's body to its end before an early response."""

from typing import Any

import pytest

from graphs.http.server import linger
from graphs.http.server.linger import LINGER_BYTES, LingerMiddleware

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CHUNK = bytes(256 * 1024)


def body(more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": CHUNK, "more_body": more}


async def answer_early(messages: list[dict[str, Any]], headers: list[Any]) -> tuple[int, list[dict[str, Any]]]:
    """Run an application that answers without reading, and return how much was read and what was sent."""
    waiting = list(messages)
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await LingerMiddleware(app)({"type": "http", "headers": headers}, receive, send)  # type: ignore[arg-type]
    return len(messages) - len(waiting), sent


async def test_an_early_answer_waits_for_the_rest_of_the_body() -> None:
    read, sent = await answer_early([body(), body(), body(more=False), body()], [(b"content-length", b"1")])
    assert read == 3
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_an_early_answer_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    enough = LINGER_BYTES // len(CHUNK)
    read, _ = await answer_early([body()] * (enough + 10), [(b"transfer-encoding", b"chunked")])
    assert read == enough
    monkeypatch.setattr(linger, "LINGER_BYTES", 1)
    assert (await answer_early([body()] * 3, [(b"content-length", b"1")]))[0] == 1


async def test_a_request_without_a_body_is_answered_at_once() -> None:
    assert (await answer_early([], []))[0] == 0
