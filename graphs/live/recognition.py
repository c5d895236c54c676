"""Recognises utterances, and ahead of their end where the recogniser has nothing else to do."""

import asyncio
import time
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
"""Speech before its first partial transcript."""

MORE_SPEECH_SECONDS = 0.5
"""Speech from one partial transcript to the next, at least."""

FINAL_DELAY_SECONDS = 0.1
"""Longest that partial transcripts may delay the recognition of a whole utterance, on average."""

_log = structlog.get_logger()

HeardT = TypeVar("HeardT")


class ActiveRecognitions:
    """Counters of the recognitions that a replica's connections have under way.

    Attributes:
        in_flight: All of them.
        partial: Those of utterances that go on.
    """

    def __init__(self) -> None:
        self.in_flight = self.partial = 0

    @contextmanager
    def one(self, *, partial: bool = False) -> Iterator[None]:
        """Count the block as one."""
        self.in_flight += 1
        self.partial += partial
        try:
            yield
        finally:
            self.in_flight -= 1
            self.partial -= partial


class PartialCadence:
    """Times at which an utterance that goes on is recognised again: the slower the recogniser, the less often.

    A recognition can't be interrupted. One that takes c seconds, waiting for its turn included, and is followed by a
    rest of r seconds, delays an utterance that ends at any time by c / 2 with the probability c / (c + r); the rest
    keeps that below ``FINAL_DELAY_SECONDS``. It is no shorter than c: others may need the recogniser.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_at = FIRST_PARTIAL_SECONDS
        self._began = self._rests_until = 0.0

    def due(self, seconds: float) -> bool:
        """Tell whether an utterance of so many seconds so far is to be recognised now."""
        return seconds >= self._next_at and self._clock() >= self._rests_until

    def begin(self, seconds: float) -> None:
        """Note that the recognition of so many seconds begins."""
        self._began = self._clock()
        self._next_at = seconds + MORE_SPEECH_SECONDS

    def finish(self) -> None:
        """Note that it has ended."""
        now = self._clock()
        took = now - self._began
        self._rests_until = now + max(took, took**2 / (2 * FINAL_DELAY_SECONDS) - took)

    def restart(self) -> None:
        """Note that the utterance is over."""
        self._next_at = FIRST_PARTIAL_SECONDS


@dataclass(frozen=True, eq=False)
class _EarlyRecognition(Generic[HeardT]):
    """A recognition of an utterance that may not be over."""

    turn: int
    samples: int
    partial: bool
    task: asyncio.Task[HeardT]


class UtteranceRecogniser(Generic[HeardT]):
    """Recognises the utterances of one connection.

    While an utterance goes on, what was said so far is recognised now and then, but only when nothing else is being
    recognised on this replica. At each pause that may be the end, the whole utterance is, unless whole utterances of
    other connections are: if the pause is the end, its words are known the sooner.

    Args:
        hear: Recognises; called with the sound and the utterance's turn.
        load: Shared by all connections of the replica.
        early: Whether to recognise anything before the end of an utterance.
        tell: Called with the turn and what was recognised before its end.
        cadence: When what was said so far is recognised.
    """

    def __init__(
        self,
        hear: Callable[[Samples, int], Awaitable[HeardT]],
        load: ActiveRecognitions,
        *,
        early: bool,
        tell: Callable[[int, HeardT], None],
        cadence: PartialCadence | None = None,
    ) -> None:
        self._hear_now = hear
        self._load = load
        self._recognise_early = early
        self._tell = tell
        self._cadence = cadence or PartialCadence()
        self._early: _EarlyRecognition[HeardT] | None = None
        self._tasks: set[asyncio.Task[HeardT]] = set()

    def speech(self, turn: int, so_far: Samples) -> None:
        """Take what was said so far."""
        if not self._load.in_flight and self._cadence.due(len(so_far) / SAMPLE_RATE):
            self._begin(turn, so_far, partial=True)

    def pause(self, turn: int, utterance: Samples) -> None:
        """Take an utterance that may be over; this counts more than what was said before."""
        early = self._early
        own = early is not None and not early.partial and not early.task.done()
        self._give_up()
        if self._load.in_flight - self._load.partial <= own:
            self._begin(turn, utterance, partial=False)

    async def hear(self, turn: int, utterance: Samples) -> HeardT:
        """Recognise an utterance that is over."""
        early = self.claim(turn, utterance)
        return await (self._counted(utterance, turn) if early is None else early)

    def claim(self, turn: int, utterance: Samples) -> asyncio.Task[HeardT] | None:
        """Return the recognition of an utterance that is over, where it began at the pause; else give up what did."""
        self._cadence.restart()
        early = self._early
        if early is not None and (early.turn, early.samples) == (turn, len(utterance)):
            self._early = None
            return early.task
        self._give_up()
        return None

    async def close(self) -> None:
        """Give up what is under way."""
        self._early = None
        await end(self._tasks)

    def _give_up(self) -> None:
        if self._early is not None:
            self._early.task.cancel()
            self._early = None

    def _begin(self, turn: int, utterance: Samples, *, partial: bool) -> None:
        if not self._recognise_early:
            return
        self._cadence.begin(len(utterance) / SAMPLE_RATE)
        task = asyncio.create_task(self._counted(utterance, turn, partial=partial))
        early = self._early = _EarlyRecognition(turn, len(utterance), partial, task)
        self._tasks.add(task)
        task.add_done_callback(lambda _task: self._early_done(early))

    async def _counted(self, utterance: Samples, turn: int, *, partial: bool = False) -> HeardT:
        with self._load.one(partial=partial):
            return await self._hear_now(utterance, turn)

    def _early_done(self, early: _EarlyRecognition[HeardT]) -> None:
        self._tasks.discard(early.task)
        if early.task.cancelled():
            return
        self._cadence.finish()
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
