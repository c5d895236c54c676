"""The bounds on request bodies between client, proxy and ingress."""

import asyncio
import pickle
from typing import Any

import pytest

from graphs.ray_patches.backpressure import (
    PROXY_BYTES,
    REPLICA_MESSAGES,
    BoundedMessageQueue,
    BoundedReceiveProxy,
)

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

CHUNK = bytes(256 * 1024)


def body(more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": CHUNK, "more_body": more}


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_the_proxy_stops_reading_until_the_replica_has_fetched() -> None:
    queue = BoundedMessageQueue()
    put = 0

    async def read_from_client() -> None:
        nonlocal put
        while True:
            await queue(body())
            put += 1

    reading = asyncio.create_task(read_from_client())
    await settle()
    assert put == PROXY_BYTES // len(CHUNK)
    assert len(queue.get_messages_nowait()) == put
    await settle()
    assert put == 2 * (PROXY_BYTES // len(CHUNK))
    reading.cancel()


async def test_a_closed_queue_lets_its_waiting_writer_go() -> None:
    queue = BoundedMessageQueue()
    for _ in range(PROXY_BYTES // len(CHUNK)):
        await queue(body())
    waiting = asyncio.create_task(queue(body()))
    await settle()
    queue.close()
    with pytest.raises(RuntimeError):
        await waiting


def receive_proxy(batches: list[Any]) -> tuple[BoundedReceiveProxy, list[int]]:
    fetched: list[int] = []

    async def fetch(_metadata: object) -> bytes:
        batch = batches[len(fetched)]
        fetched.append(len(fetched))
        if isinstance(batch, Exception):
            raise batch
        return pickle.dumps(batch)

    return BoundedReceiveProxy({"type": "http"}, None, fetch), fetched


async def test_the_replica_fetches_no_more_than_it_reads() -> None:
    disconnect = {"type": "http.disconnect"}
    receive, fetched = receive_proxy([*([body()] * 4 for _ in range(10)), [disconnect]])
    fetching = asyncio.create_task(receive.fetch_until_disconnect())
    await settle()
    assert len(fetched) == REPLICA_MESSAGES // 4 + 1
    read = [await receive() for _ in range(40)]
    assert all(message["body"] == CHUNK for message in read)
    assert await receive() == disconnect
    await fetching
    assert await receive() == disconnect


async def test_a_request_that_the_proxy_forgot_reads_as_disconnected() -> None:
    receive, _ = receive_proxy([KeyError("gone")])
    await receive.fetch_until_disconnect()
    assert (await receive())["type"] == "http.disconnect"


async def test_a_failure_to_fetch_is_raised_where_the_body_is_read() -> None:
    receive, _ = receive_proxy([RuntimeError("the proxy died")])
    await receive.fetch_until_disconnect()
    with pytest.raises(RuntimeError, match="the proxy died"):
        await receive()
