"""Recognises utterances, and ahead of their end where the recogniser has nothing else to do."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from graphs.live.close import ConnectionClosed
from graphs.live.tasks import end
from models.audio import SAMPLE_RATE
from models.vad.streaming import Samples

FIRST_PARTIAL_SECONDS = 1.0
"""Speech before its first partial transcript; each later one needs half as much more as was heard for the last."""

_FIRST = round(FIRST_PARTIAL_SECONDS * SAMPLE_RATE)
_GROWTH = 1.5
_log = structlog.get_logger()

HeardT = TypeVar("HeardT")


class ActiveRecognitions:
    """Counter of the recognitions that a replica's connections have under way."""

    def __init__(self) -> None:
        self.in_flight = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count the block as one."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


@dataclass(frozen=True, eq=False)
class _EarlyRecognition(Generic[HeardT]):
    """A recognition of an utterance that may not be over."""

    turn: int
    samples: int
    task: asyncio.Task[HeardT]


class UtteranceRecogniser(Generic[HeardT]):
    """Recognises the utterances of one connection.

    While an utterance goes on, what was said so far is recognised now and then, but only when nothing else is being
    recognised on this replica. At each pause that may be the end, the whole utterance is: if the pause is the end, its
    words are known the sooner.

    Args:
        hear: Recognises; called with the sound and the utterance's turn.
        load: Shared by all connections of the replica.
        early: Whether to recognise anything before the end of an utterance.
        tell: Called with the turn and what was recognised before its end.
    """

    def __init__(
        self,
        hear: Callable[[Samples, int], Awaitable[HeardT]],
        load: ActiveRecognitions,
        *,
        early: bool,
        tell: Callable[[int, HeardT], None],
    ) -> None:
        self._hear_now = hear
        self._load = load
        self._recognise_early = early
        self._tell = tell
        self._early: _EarlyRecognition[HeardT] | None = None
        self._tasks: set[asyncio.Task[HeardT]] = set()
        self._next_at = _FIRST

    def speech(self, turn: int, so_far: Samples) -> None:
        """Take what was said so far."""
        if len(so_far) >= self._next_at and not self._load.in_flight:
            self._next_at = round(len(so_far) * _GROWTH)
            self._begin(turn, so_far)

    def pause(self, turn: int, utterance: Samples) -> None:
        """Take an utterance that may be over; this counts more than what was said before."""
        own = self._early is not None and not self._early.task.done()
        if self._load.in_flight <= own:
            self.drop()
            self._begin(turn, utterance)

    async def hear(self, turn: int, utterance: Samples) -> HeardT:
        """Recognise an utterance that is over."""
        early = self._early
        if early is not None and (early.turn, early.samples) == (turn, len(utterance)):
            self._early, self._next_at = None, _FIRST
            return await early.task
        self.drop()
        return await self._counted(utterance, turn)

    def drop(self) -> None:
        """Give up what is recognised ahead: the utterance is over."""
        self._next_at = _FIRST
        if self._early is not None:
            self._early.task.cancel()
            self._early = None

    async def close(self) -> None:
        """Give up what is under way."""
        self._early = None
        await end(self._tasks)

    def _begin(self, turn: int, utterance: Samples) -> None:
        if not self._recognise_early:
            return
        task = asyncio.create_task(self._counted(utterance, turn))
        early = self._early = _EarlyRecognition(turn, len(utterance), task)
        self._tasks.add(task)
        task.add_done_callback(lambda _task: self._early_done(early))

    async def _counted(self, utterance: Samples, turn: int) -> HeardT:
        with self._load.one():
            return await self._hear_now(utterance, turn)

    def _early_done(self, early: _EarlyRecognition[HeardT]) -> None:
        self._tasks.discard(early.task)
        if early.task.cancelled():
            return
        error = early.task.exception()
        if self._early is not early:
            return  # the utterance is over
        if error is not None:
            # The same error comes again, and is told, when the utterance is over.
            self._early = None
            _log.warning("no partial transcript", exc_info=error)
            return
        try:
            self._tell(early.turn, early.task.result())
        except ConnectionClosed:
            return  # the next event says so again
