"""Bounded queue of events and audio on their way to a client."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from graphs.live.close import ConnectionClosed
from graphs.live.protocol import CloseCode, Event, PingEvent, ReplyAudioHeader, Start
from graphs.live.serializers import Frame, Serializer

Send = Callable[[Frame], Awaitable[None]]

PINGS_PER_LIMIT = 8
"""A client is pinged after each such part of what it may leave unread."""


@dataclass(frozen=True, slots=True)
class _Item:
    frames: tuple[Frame, ...]
    audio_of: int | None = None

    @property
    def size(self) -> int:
        return sum(len(frame) for frame in self.frames)


class SendQueue:
    """Sends events in order; never makes the one who has an event wait.

    What a client has not read counts against a limit. Between here and the client lie buffers of proxies and kernels
    whose filling nobody tells; so the client is pinged now and then, and what was sent before a ping counts as read
    when its pong comes.

    Args:
        send: Sends one frame.
        serializer: How events look; where its clients answer no pings, what is sent counts as read.
        max_unsent_bytes: A client that leaves more unread is disconnected.
    """

    def __init__(self, send: Send, serializer: Serializer[Start], max_unsent_bytes: int) -> None:
        self._send = send
        self._serializer = serializer
        self._limit = max_unsent_bytes
        self._items: deque[_Item] = deque()
        self._waiting = 0
        self._filled = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._sent = 0
        self._read = 0
        self._pings: dict[int, int] = {}
        self._last_ping = 0
        self._pinged_at = 0

    def put(self, event: Event) -> None:
        """Put an event at the end.

        Raises:
            ConnectionClosed: The client leaves too much unread.
        """
        self._append(_Item(self._serializer.frames(event, None)))

    def put_audio(self, header: ReplyAudioHeader, audio: bytes) -> None:
        """Put audio at the end, behind its header.

        Raises:
            ConnectionClosed: The client leaves too much unread.
        """
        self._append(_Item(self._serializer.frames(header, audio), audio_of=header.turn))

    def drop_audio(self, turn: int) -> None:
        """Forget the audio of a turn that was not sent yet."""
        self._items = deque(item for item in self._items if item.audio_of != turn)
        self._waiting = sum(item.size for item in self._items)

    def acknowledge(self, ping: int) -> None:
        """Take a client's pong: it has read what was sent before that ping."""
        self._read = max(self._read, self._pings.pop(ping, 0))

    async def run(self) -> None:
        """Send what comes, until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._items:
                await self._send_item(self._items.popleft())
            self._empty.set()

    async def flushed(self) -> None:
        """Wait until nothing waits to be sent."""
        await self._empty.wait()

    async def _send_item(self, item: _Item) -> None:
        self._waiting -= item.size
        # Counted before it is sent: a client that reads nothing blocks right here.
        self._sent += item.size
        for frame in item.frames:
            await self._send(frame)
        if not self._serializer.pinged:
            self._read = self._sent
        elif self._sent - self._pinged_at >= self._limit // PINGS_PER_LIMIT:
            self._last_ping += 1
            self._pinged_at = self._pings[self._last_ping] = self._sent
            for frame in self._serializer.frames(PingEvent(id=self._last_ping), None):
                await self._send(frame)

    def _append(self, item: _Item) -> None:
        if not item.frames:
            return
        self._items.append(item)
        self._waiting += item.size
        if self._waiting + self._sent - self._read > self._limit:
            raise ConnectionClosed(
                CloseCode.POLICY,
                "slow_client",
                f"More than {self._limit} bytes were not read; answer pings, and read faster.",
            )
        self._empty.clear()
        self._filled.set()
