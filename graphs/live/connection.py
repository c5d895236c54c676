"""One client's connection: what it sends is read and checked in bounds, what it is sent waits in a send queue."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Generic

from starlette.websockets import WebSocket, WebSocketDisconnect

from graphs.common.config import LiveSettings
from graphs.live.close import ClientDisconnected, ConnectionClosed
from graphs.live.problems import problem
from graphs.live.protocol import (
    MAX_AUDIO_FRAME_BYTES,
    MAX_TEXT_FRAME_BYTES,
    CloseCode,
    Closing,
    Command,
    Event,
    Problem,
    ReplyAudioHeader,
)
from graphs.live.send_queue import SendQueue
from graphs.live.serializers import Frame, Serializer, StartT
from graphs.live.tasks import end
from models.errors import InputError

START_SECONDS = 10.0
"""A client that has not started by then is disconnected."""

MAX_FAULTS = 10
"""So many messages that can't be used end the connection."""

_CLOSE_SECONDS = 2.0


class Connection(Generic[StartT]):
    """A client's connection, accepted.

    Args:
        socket: Its WebSocket.
        serializer: The dialect that it speaks.
        settings: Limits.
        start_seconds: Time for the first message.
    """

    def __init__(
        self,
        socket: WebSocket,
        serializer: Serializer[StartT],
        settings: LiveSettings,
        *,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._socket = socket
        self._serializer = serializer
        self._settings = settings
        self._send_queue = SendQueue(self._send, serializer, settings.max_unsent_bytes)
        self._opened = self._active = time.monotonic()
        self._start_seconds = start_seconds
        self._faults = 0
        self._ended: asyncio.Future[ConnectionClosed] = asyncio.get_running_loop().create_future()
        self._writer = asyncio.create_task(self._write())
        self._receiving: asyncio.Task[Frame] | None = None

    def end(self, closed: ConnectionClosed) -> None:
        """End the connection from outside."""
        if not self._ended.done():
            self._ended.set_result(closed)

    def touch(self) -> None:
        """Note that the client is there: what it sends by itself, silence for instance, does not say so."""
        self._active = time.monotonic()

    def send(self, event: Event) -> None:
        """Send an event, without waiting.

        Raises:
            ConnectionClosed: The client leaves too much unread.
        """
        self._send_queue.put(event)

    def send_audio(self, header: ReplyAudioHeader, audio: bytes) -> None:
        """Send audio, without waiting.

        Raises:
            ConnectionClosed: The client leaves too much unread.
        """
        self._send_queue.put_audio(header, audio)

    def drop_audio(self, turn: int) -> None:
        """Take back the audio of a turn that was not sent yet."""
        self._send_queue.drop_audio(turn)

    def acknowledge(self, ping: int) -> None:
        """Take the client's pong."""
        self._send_queue.acknowledge(ping)

    def fault(self, error: Exception) -> None:
        """Tell the client that a message of its can't be used.

        Raises:
            ConnectionClosed: It was one too many.
        """
        self._faults += 1
        self.send(problem(error))
        if self._faults >= MAX_FAULTS:
            raise ConnectionClosed(CloseCode.POLICY, "too_many_errors", f"{self._faults} messages could not be used.")

    async def start(self) -> StartT:
        """Wait for a first message that can be used.

        Raises:
            ConnectionClosed: None came in time.
            ClientDisconnected: The client is gone.
        """
        late = ConnectionClosed(CloseCode.TIMEOUT, "no_start", f"No start came within {self._start_seconds:g} s.")
        while True:
            frame = await self._frame(self._opened + self._start_seconds, late)
            try:
                return self._serializer.start(frame)
            except InputError as error:
                self.fault(error)

    async def messages(self, busy: Callable[[], bool]) -> AsyncIterator[bytes | Command]:
        """Yield audio and commands until the connection ends.

        Args:
            busy: Tells whether the client is waiting for, or listening to, something.

        Raises:
            ConnectionClosed: The client broke a rule, was silent for too long, or has been here for too long.
            ClientDisconnected: The client is gone.
        """
        settings = self._settings
        idle = ConnectionClosed(CloseCode.TIMEOUT, "idle", f"Nothing was said for {settings.idle_seconds:g} s.")
        too_long = ConnectionClosed(
            CloseCode.TIMEOUT, "max_duration", f"No connection lasts over {settings.max_seconds:g} s."
        )
        last = self._opened + settings.max_seconds
        while True:
            if busy():
                self.touch()
            until = self._active + settings.idle_seconds
            try:
                frame = await self._frame(min(until, last), too_long if last <= until else idle)
            except ConnectionClosed as closed:
                if closed is idle and busy():
                    continue
                raise
            try:
                message = self._serializer.message(frame)
            except InputError as error:
                self.fault(error)
                continue
            if not isinstance(message, bytes):
                self.touch()
            yield message

    async def close(self, closed: ConnectionClosed | None) -> None:
        """Close the connection, saying why; None where the client is gone."""
        if closed is not None:
            await self._send_close(closed)
        await end(task for task in (self._receiving, self._writer) if task is not None)

    async def _send_close(self, closed: ConnectionClosed) -> None:
        """Send what waits and the closing event, to a client that reads them soon."""
        try:
            if closed.code not in (CloseCode.DONE, CloseCode.RESTART):
                self.send(Problem(code=closed.reason, message=closed.message, fatal=True))
            self.send(Closing(code=closed.code, reason=closed.reason, message=closed.message))
        except ConnectionClosed:
            self._writer.cancel()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                flushed = asyncio.create_task(self._send_queue.flushed())
                await asyncio.wait((self._writer, flushed), return_when=asyncio.FIRST_COMPLETED)
                flushed.cancel()
                await self._socket.close(closed.code, closed.reason)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            return

    async def _frame(self, deadline: float, late: ConnectionClosed) -> Frame:
        """Receive one frame.

        Raises:
            ConnectionClosed: ``late`` when the deadline has passed, or what ended the connection.
            ClientDisconnected: The client is gone.
        """
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._receive())
        if time.monotonic() < deadline:
            await asyncio.wait(
                (self._receiving, self._ended), timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
        if self._ended.done():
            raise self._ended.result()
        if not self._receiving.done() or time.monotonic() >= deadline:
            raise late
        receiving, self._receiving = self._receiving, None
        return receiving.result()

    async def _receive(self) -> Frame:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise ClientDisconnected
        text: str | None = message.get("text")
        frame: Frame = text if text is not None else message["bytes"]
        size = len(frame.encode() if isinstance(frame, str) else frame)
        limit = MAX_TEXT_FRAME_BYTES if isinstance(frame, str) else MAX_AUDIO_FRAME_BYTES
        if size > limit:
            raise ConnectionClosed(
                CloseCode.TOO_BIG, "too_big", f"A frame of {size} bytes; this kind has {limit} at most."
            )
        return frame

    async def _send(self, frame: Frame) -> None:
        if isinstance(frame, bytes):
            await self._socket.send_bytes(frame)
        else:
            await self._socket.send_text(frame)

    async def _write(self) -> None:
        try:
            await self._send_queue.run()
        except (WebSocketDisconnect, RuntimeError):
            # Starlette's two ways to say that the client is gone; reading tells it too.
            return
