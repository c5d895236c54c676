"""An upload that the object store takes more slowly than the client sends it is not held in anybody's memory."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi import FastAPI, Request
from ray import serve

from graphs.http.server.files import ObjectSink, write_all
from graphs.http.server.multipart import receive_body
from graphs.local.cluster import free_port, ray_with_dashboard
from graphs.ray_patches.backpressure import bound_replica

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

MIB = 1024 * 1024
SIZE = 192 * MIB
# Both queues, the form's buffer, and what the kernel holds of a connection on its two sides.
BETWEEN = 32 * MIB
WAIT_S = 60.0


class StalledWriter:
    """Takes nothing until a file appears; then everything at once."""

    def __init__(self, released: Path) -> None:
        self._released = released
        self._size = 0

    def write(self, data: bytes) -> None:
        wait_until(self._released.exists, "the store is let go")
        self._size += len(data)

    def commit(self) -> int:
        return self._size

    def abort(self) -> None:
        pass


class StalledStore:
    def __init__(self, released: Path) -> None:
        self._released = released

    def writer(self, *_args: object, **_options: object) -> StalledWriter:
        return StalledWriter(self._released)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S:.0f} s: {what}"
        time.sleep(0.05)


def deployment(released: Path) -> Any:
    def build() -> FastAPI:
        bound_replica()
        app = FastAPI()

        @app.post("/")
        async def upload(request: Request) -> Any:
            store: Any = StalledStore(released)
            stored = await write_all(receive_body(request, WAIT_S), ObjectSink(store, "key", 2 * SIZE))
            return stored.info

        return app

    return serve.deployment(name="upload")(serve.ingress(build)())


class Upload:
    """A client that sends as fast as it can, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n"
        self._connection.sendall(head.encode())
        piece = bytes(256 * 1024)
        while self.sent < SIZE:
            self._connection.sendall(piece)
            self.sent += len(piece)

    def answer(self) -> bytes:
        answer = b"".join(iter(lambda: self._connection.recv(65536), b""))
        self._connection.close()
        return answer


@pytest.fixture
def released(tmp_path: Path) -> Path:
    return tmp_path / "released"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch, released: Path) -> Iterator[int]:
    # Ray's workers import this module.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    with ray_with_dashboard():
        port = free_port(8321)
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        yield port
        released.touch()


def memory() -> dict[str, int]:
    """Return the bytes that the proxy and the replica hold, without what they share through Ray's object store."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        title = " ".join(process.cmdline())
        for part in ("ProxyActor", "ServeReplica"):
            if part in title:
                found[part] = process.memory_full_info().uss
    assert len(found) == 2, found
    return found


def grown(before: dict[str, int], most: int) -> dict[str, int]:
    """Return by how many bytes those grew that grew by more than ``most``."""
    return {part: size - before[part] for part, size in memory().items() if size - before[part] > most}


def test_an_upload_waits_in_the_clients_socket_while_the_store_is_slow(port: int, released: Path) -> None:
    serve.run(deployment(released).bind())
    before = memory()
    upload = Upload(port)
    last = -1

    def stalled() -> bool:
        nonlocal last
        time.sleep(1.0)
        last, moved = upload.sent, upload.sent != last
        return not moved and last > 0

    wait_until(stalled, "the client can send no more")
    assert upload.sent < BETWEEN
    assert grown(before, BETWEEN) == {}
    released.touch()
    answer = upload.answer()
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(str(SIZE).encode())
    assert grown(before, BETWEEN) == {}
