"""A network between a browser and the service that is slow or breaks when a test wants it."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 16 * 1024
# Small, so that what the browser takes for sent is what the service has.
_BUFFER = 32 * 1024


class Wire:
    """Hands on TCP connections from a port of its own to the service."""

    def __init__(self, target: tuple[str, int], listener: socket.socket) -> None:
        self.bytes_per_second: float | None = None
        self._target = target
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._broken = False
        self._break_after: int | None = None
        self._answers_to_lose: bytes | None = None

    @property
    def url(self) -> str:
        host, port = self._listener.getsockname()
        return f"http://{host}:{port}"

    def cut(self) -> None:
        """Break every connection, and let nobody through until ``mend``."""
        self._broken = True
        with self._lock:
            for connection in self._open:
                _reset(connection)
            self._open.clear()

    def mend(self) -> None:
        """Be a good network again."""
        self._broken = False
        self._answers_to_lose = None
        self.bytes_per_second = None

    def cut_after(self, sent: int) -> None:
        """Be cut when the browser has sent so many bytes from now on."""
        self._break_after = sent

    def lose_answers(self, head: str) -> None:
        """Until ``mend``, break the connections by which requests come that begin so, when the service answers them."""
        self._answers_to_lose = head.encode()

    def serve(self) -> None:
        while True:
            try:
                browser, _ = self._listener.accept()
            except OSError:
                return
            if self._broken:
                _reset(browser)
                continue
            try:
                service = socket.create_connection(self._target)
            except OSError:
                _reset(browser)
                continue
            with self._lock:
                self._open |= {browser, service}
            losing = threading.Event()
            for pump, ends in ((self._up, (browser, service)), (self._down, (service, browser))):
                threading.Thread(target=pump, args=(*ends, losing), daemon=True).start()

    def _up(self, browser: socket.socket, service: socket.socket, losing: threading.Event) -> None:
        while piece := _received(browser):
            if self._answers_to_lose and piece.startswith(self._answers_to_lose):
                losing.set()
            if self._break_after is not None:
                self._break_after -= len(piece)
                if self._break_after <= 0:
                    self._break_after = None
                    self.cut()
                    return
            if self.bytes_per_second:
                time.sleep(len(piece) / self.bytes_per_second)
            if not _sent(service, piece):
                break
        self._end(browser, service)

    def _down(self, service: socket.socket, browser: socket.socket, losing: threading.Event) -> None:
        while piece := _received(service):
            if losing.is_set():
                _reset(browser)
                break
            if not _sent(browser, piece):
                break
        self._end(browser, service)

    def _end(self, *connections: socket.socket) -> None:
        with self._lock:
            self._open -= {*connections}
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def wire_to(origin: str) -> Iterator[Wire]:
    """Listen on a free port of this machine for connections to a service."""
    parts = urlsplit(origin)
    assert parts.hostname is not None and parts.port is not None, origin
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    wire = Wire((parts.hostname, parts.port), listener)
    thread = threading.Thread(target=wire.serve, daemon=True)
    thread.start()
    try:
        yield wire
    finally:
        # close() alone leaves accept() waiting.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=10)
        wire.cut()


def _received(connection: socket.socket) -> bytes:
    with suppress(OSError):
        return connection.recv(_PIECE)
    return b""


def _sent(connection: socket.socket, piece: bytes) -> bool:
    with suppress(OSError):
        connection.sendall(piece)
        return True
    return False


def _reset(connection: socket.socket) -> None:
    """Close as a network does that breaks: without a goodbye."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
    connection.close()
