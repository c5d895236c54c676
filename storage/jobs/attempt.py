"""One attempt at a job: its handler's hold on it, and the writer of its events."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from storage.database import Database, DatabaseUnavailable
from storage.jobs.errors import FenceLost
from storage.jobs.rows import Row, job_of, jsonb
from storage.jobs.transitions import Ending, Event, end_attempt, write_events
from storage.jobs.types import JSONObject

log = structlog.get_logger(__name__)

RESERVED_EVENTS = frozenset({"queued", "started", "progress", "retrying", "succeeded", "failed", "cancelled"})
_MOST_UNWRITTEN_EVENTS = 1000
_LONGEST_PAUSE_SECONDS = 2.0


class Attempt:
    """A handler's hold on its job.

    Events and progress are queued and written in order by a task of the attempt's own, a few times per second, so that
    a slow or restarting database never holds the handler up. A write whose answer was lost is recognised when it is
    repeated, by the row's number of events, and never doubled.

    Attributes:
        job: The job as it was claimed.
        fence: The claim's number; writes with an older one are refused.
        lost: True once the job isn't this attempt's any more.
        given_back: True once the worker wants the job back in the queue.
        interrupted: Set when one of the two becomes true.
    """

    def __init__(self, database: Database, row: Row, *, clock: Callable[[], datetime], throttle: float) -> None:
        self.job = job_of(row)
        self.fence: int = row["fence"]
        self.lost = False
        self.given_back = False
        self.interrupted = asyncio.Event()
        self._database = database
        self._clock = clock
        self._throttle = throttle
        # Events that are not in the database, as far as is known, and the number of the first of them.
        self._unwritten: list[Event] = []
        self._first: int = row["last_event"] + 1
        # How many of them, from the first on, were handed to a transaction whose outcome is not known.
        self._in_flight = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @property
    def deadline(self) -> datetime:
        """The time at which the time limit ends the attempt."""
        started = self.job.started_at or self._clock()
        return started + timedelta(seconds=self.job.time_limit)

    async def progress(self, stage: str, fraction: float) -> None:
        """Report the present stage and the progress of the whole job.

        Args:
            stage: The stage's name.
            fraction: Between 0 and 1.

        Raises:
            FenceLost: The job isn't this attempt's any more.
            ValueError: The fraction is out of range.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"progress must be between 0 and 1, not {fraction}")
        event: Event = ("progress", {"stage": stage, "progress": fraction})
        jsonb(event[1])
        # Of several steps within a stage that wait together only the last is news.
        last = self._unwritten[-1] if len(self._unwritten) > self._in_flight else None
        if last is not None and last[0] == "progress" and last[1]["stage"] == stage:
            self._unwritten.pop()
        await self._append(event)

    async def event(self, type: str, data: JSONObject) -> None:
        """Append an event of the handler's own to the job's history.

        Raises:
            FenceLost: The job isn't this attempt's any more.
            ValueError: The type is one of the queue's own, or the data can't be stored.
        """
        if type in RESERVED_EVENTS:
            raise ValueError(f"events of the type {type!r} are the queue's own")
        jsonb(data)
        await self._append((type, data))

    async def _append(self, event: Event) -> None:
        while len(self._unwritten) >= _MOST_UNWRITTEN_EVENTS and not self.lost:
            self._room.clear()
            await self._room.wait()
        if self.lost or self._closed.is_set():
            raise FenceLost(self.job.id, self.fence)
        self._unwritten.append(event)
        self._work.set()

    # --- for the worker -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Start writing events."""
        self._writer = asyncio.create_task(self._write_until_closed(), name=f"events of job {self.job.id}")

    async def close(self) -> None:
        """Stop writing; events that still wait are written by :meth:`end` or dropped."""
        self._closed.set()
        self._work.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def lose(self) -> None:
        """Note that the job isn't this attempt's any more."""
        self.lost = True
        self.interrupted.set()
        self._room.set()

    def give_back(self) -> None:
        """Ask for the job to be queued again."""
        self.given_back = True
        self.interrupted.set()

    async def end(self, ending: Ending, *, for_seconds: float) -> None:
        """Write the attempt's ending, in one transaction with its event and all events that still wait.

        Args:
            ending: The outcome.
            for_seconds: How long an outage of the database is waited out.

        Raises:
            FenceLost: The job isn't this attempt's any more; nothing was written.
            DatabaseUnavailable: The outage lasted longer.
            ValueError: The result can't be stored as JSON; nothing was written.
        """
        await self.close()
        if self._writer is not None:
            self._writer.result()
        await self._database.retry(lambda: self._end_once(ending), for_seconds=for_seconds)

    async def _end_once(self, ending: Ending) -> None:
        async with self._database.connection() as connection:
            await end_attempt(connection, self.job.id, self.fence, self._first, self._unwritten, ending, self._clock())

    async def _write_until_closed(self) -> None:
        pause = self._throttle
        while True:
            await self._work.wait()
            if self._closed.is_set():
                return
            self._work.clear()
            try:
                await self._write_events()
            except FenceLost:
                self.lose()
                return
            except DatabaseUnavailable as error:
                log.warning("progress is not written yet", job_id=str(self.job.id), error=str(error))
                pause = min(max(pause, self._throttle) * 2, _LONGEST_PAUSE_SECONDS)
                self._work.set()
            else:
                pause = self._throttle
                self._room.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closed.wait()

    async def _write_events(self) -> None:
        events = self._unwritten.copy()
        self._in_flight = len(events)
        async with self._database.connection() as connection:
            await write_events(connection, self.job.id, self.fence, self._first, events, self._clock())
        del self._unwritten[: len(events)]
        self._first += len(events)
        self._in_flight = 0
