"""Base of live sessions: reading the client, speech events, turns."""

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Generic

from graphs.live.close import ConnectionClosed
from graphs.live.connection import Connection
from graphs.live.protocol import (
    Cancel,
    CloseCode,
    Command,
    Commit,
    Ping,
    Pong,
    PongEvent,
    Problem,
    SpeechBegan,
    SpeechOver,
    Stop,
    Text,
)
from graphs.live.serializers import StartT
from graphs.live.speech_events import SpeechEventDetector
from models.errors import InputError
from models.vad.streaming import Samples, SpeechEnded, SpeechEvent, SpeechPaused, SpeechStarted


class LiveSession(ABC, Generic[StartT]):
    """One connection after its start: the client is read here, and work goes on beside it.

    A turn is an utterance or a typed message; turns are numbered from 1.

    Args:
        connection: The client.
        detector: Its audio.
        start: What it asked for.
        correlation_id: The connection's; a turn's has its number behind it.
    """

    def __init__(
        self, connection: Connection[StartT], detector: SpeechEventDetector, start: StartT, correlation_id: str
    ) -> None:
        self.connection = connection
        self.detector = detector
        self.asked = start
        self.correlation_id = correlation_id
        self.turn = 0
        self._stopping = False

    async def run(self) -> None:
        """Serve the client until the connection ends.

        Raises:
            BaseExceptionGroup: It ended: holds a ``ConnectionClosed`` or ``ClientDisconnected``.
        """
        try:
            async with asyncio.TaskGroup() as group:
                self.begin(group)
                async for message in self.connection.messages(lambda: self.detector.speaking or self.busy):
                    await self._take(message, group)
        finally:
            await self.close()

    def drop_turn(self, reason: str) -> None:
        """Say that the newest turn is not taken."""
        self.connection.send(Problem(code="overloaded", message=reason, turn=self.turn, retry_after=1))

    def turn_id(self, turn: int) -> str:
        """The correlation id of a turn."""
        return f"{self.correlation_id}.{turn}"

    def now(self) -> float:
        """Seconds, monotonic."""
        return time.monotonic()

    @property
    @abstractmethod
    def busy(self) -> bool:
        """True while a turn is under way or its speech is still played."""

    @abstractmethod
    def begin(self, group: asyncio.TaskGroup) -> None:
        """Start what goes on beside the reading."""

    @abstractmethod
    def speech_began(self) -> None:
        """Handle the start of speech; the turn has its number."""

    @abstractmethod
    def speech(self, so_far: Samples) -> None:
        """Take what was said so far."""

    @abstractmethod
    def speech_paused(self, utterance: Samples) -> None:
        """Take an utterance that may be over."""

    @abstractmethod
    def speech_ended(self, utterance: Samples) -> None:
        """Take an utterance."""

    @abstractmethod
    def text(self, text: str) -> None:
        """Take a typed message.

        Raises:
            InputError: There are no typed messages here.
        """

    @abstractmethod
    def cancel(self) -> None:
        """Stop the turns under way."""

    @abstractmethod
    async def close(self) -> None:
        """Give up what still goes on."""

    @abstractmethod
    async def finished(self) -> None:
        """Wait until all turns are over."""

    async def _take(self, message: bytes | Command, group: asyncio.TaskGroup) -> None:
        try:
            match message:
                case bytes():
                    await self._audio(message)
                case Commit():
                    await self._commit()
                case Text():
                    self._refuse_after_stop()
                    self.text(message.text)
                case Cancel():
                    self.cancel()
                case Ping():
                    self.connection.send(PongEvent())
                case Pong():
                    self.connection.acknowledge(message.id)
                case Stop():
                    self._refuse_after_stop()
                    self._stopping = True
                    self._events(await self.detector.commit())
                    group.create_task(self._finish())
        except InputError as error:
            self.connection.fault(error)

    async def _audio(self, data: bytes) -> None:
        if self._stopping:
            return
        self._events(await self.detector.push(data))
        so_far = self.detector.so_far()
        if so_far is not None:
            self.speech(so_far)

    async def _commit(self) -> None:
        self._refuse_after_stop()
        events = await self.detector.commit()
        if not events:
            raise InputError("no_speech", "There was no speech to commit.", field="type")
        self._events(events)

    def _refuse_after_stop(self) -> None:
        if self._stopping:
            raise InputError("stopped", "Nothing may follow a stop but cancel, ping and pong.", field="type")

    def _events(self, events: list[SpeechEvent]) -> None:
        for event in events:
            self.connection.touch()
            match event:
                case SpeechStarted():
                    self.turn += 1
                    self.connection.send(SpeechBegan(turn=self.turn, at_ms=round(event.at * 1000)))
                    self.speech_began()
                case SpeechPaused():
                    self.speech_paused(event.samples)
                case SpeechEnded():
                    start, end = (round(seconds * 1000) for seconds in (event.span.start, event.span.end))
                    self.connection.send(SpeechOver(turn=self.turn, start_ms=start, end_ms=end, forced=event.forced))
                    self.speech_ended(event.samples)

    async def _finish(self) -> None:
        await self.finished()
        raise ConnectionClosed(CloseCode.DONE, "stopped", "All that was said is answered.")
