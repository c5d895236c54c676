"""One attempt at a job: what its handler holds, and the only way to write to the job's row meanwhile."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

import structlog

from storage.database import Connection, Database, DatabaseUnavailable
from storage.jobs.errors import FenceLost
from storage.jobs.queue import DeliveryQueue
from storage.jobs.rows import Row, append_events, count_end, job_of, jsonb, set_token
from storage.jobs.types import JobFailure, JobResult, JSONObject

log = structlog.get_logger(__name__)

RESERVED_EVENTS = frozenset({"queued", "started", "progress", "retrying", "succeeded", "failed", "cancelled"})
_MOST_PENDING_EVENTS = 1000
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Ending:
    """How an attempt leaves its row.

    Attributes:
        state: The row's next state; ``queued`` hands it to another attempt.
        event: Type and data of the event that tells so.
        result: What the handler returned.
        error: What the owner is told of a failure.
        delay: Seconds until the next attempt.
        given_back: The attempt is not counted.
    """

    state: Literal["queued", "succeeded", "failed"]
    event: tuple[str, JSONObject]
    result: JobResult | None = None
    error: JSONObject | None = None
    delay: float = 0.0
    given_back: bool = False

    @classmethod
    def succeeded(cls, result: JobResult) -> "Ending":
        """The handler returned."""
        return cls("succeeded", ("succeeded", {}), result=result)

    @classmethod
    def failed(cls, failure: JobFailure) -> "Ending":
        """There will be no other attempt."""
        return cls("failed", ("failed", {"error": failure.as_json()}), error=failure.as_json())

    @classmethod
    def retrying(cls, failure: JobFailure, attempt: int, delay: float) -> "Ending":
        """There will be another attempt after ``delay`` seconds."""
        data = {"attempt": attempt, "delay": round(delay, 3), "error": failure.as_json()}
        return cls("queued", ("retrying", data), delay=delay)

    @classmethod
    def giving_back(cls) -> "Ending":
        """The worker stops, through no fault of the job."""
        return cls("queued", ("queued", {"reason": "worker_stopped"}), given_back=True)


@dataclass
class _Pending:
    """Events that are not in the database yet, as far as this process knows."""

    waiting: list[tuple[str, JSONObject]] = field(default_factory=list)
    # Handed to a transaction whose outcome is not known yet.
    in_flight: list[tuple[str, JSONObject]] = field(default_factory=list)

    def take(self) -> list[tuple[str, JSONObject]]:
        if not self.in_flight:
            self.in_flight, self.waiting = self.waiting, []
        return self.in_flight


class Attempt:
    """A handler's hold on its job.

    Events and progress are queued and written in order by a task of the attempt's own, a few times per second, so that
    a slow or restarting database never holds the handler up. Each write compares the row's fence and number of events
    with what this attempt knows: a write whose answer was lost is recognised when it is repeated, and never doubled.

    Attributes:
        job: The job as it was claimed.
        fence: The claim's number; writes with an older one are refused.
    """

    def __init__(
        self, database: Database, queue: DeliveryQueue, row: Row, *, clock: Callable[[], datetime], throttle: float
    ) -> None:
        self.job = job_of(row)
        self.fence: int = row["fence"]
        self._database = database
        self._queue = queue
        self._clock = clock
        self._throttle = throttle
        self._last_event: int = row["last_event"]
        self._stage: str | None = None
        self._progress = 0.0
        self._pending = _Pending()
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = asyncio.Event()
        self.lost: asyncio.Event = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @property
    def deadline(self) -> datetime:
        """When the time limit ends the attempt."""
        started = self.job.started_at or self._clock()
        return started + timedelta(seconds=self.job.time_limit)

    async def progress(self, stage: str, fraction: float) -> None:
        """Says what the handler is doing and how far the whole job is.

        Args:
            stage: The stage's name.
            fraction: Between 0 and 1.

        Raises:
            FenceLost: The job isn't this attempt's any more.
            ValueError: The fraction is out of range.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(f"progress must be between 0 and 1, not {fraction}")
        entry: tuple[str, JSONObject] = ("progress", {"stage": stage, "progress": fraction})
        jsonb(entry[1])
        waiting = self._pending.waiting
        # Of several steps within a stage that wait together only the last is news.
        if waiting and waiting[-1][0] == "progress" and waiting[-1][1]["stage"] == stage:
            waiting.pop()
        await self._append(entry)
        self._stage, self._progress = stage, fraction

    async def event(self, type: str, data: JSONObject) -> None:
        """Tells the job's followers something of the handler's own.

        Raises:
            FenceLost: The job isn't this attempt's any more.
            ValueError: The type is one of the queue's own, or the data can't be stored.
        """
        if type in RESERVED_EVENTS:
            raise ValueError(f"events of the type {type!r} are the queue's own")
        jsonb(data)
        await self._append((type, data))

    async def _append(self, entry: tuple[str, JSONObject]) -> None:
        while len(self._pending.waiting) >= _MOST_PENDING_EVENTS and not self.lost.is_set():
            self._room.clear()
            await self._room.wait()
        if self.lost.is_set():
            raise FenceLost(f"job {self.job.id} is no longer attempt {self.fence}'s")
        if self._closed.is_set():
            raise FenceLost(f"attempt {self.fence} at job {self.job.id} has ended")
        self._pending.waiting.append(entry)
        self._work.set()

    # --- for the worker -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Starts writing."""
        self._writer = asyncio.create_task(self._write_on(), name=f"events of job {self.job.id}")

    async def close(self) -> None:
        """Stops writing; what still waits is written by :meth:`end` or dropped."""
        self._closed.set()
        self._work.set()
        if self._writer is not None:
            await asyncio.wait({self._writer})

    def lose(self) -> None:
        """Notes that the job isn't this attempt's any more."""
        self.lost.set()
        self._room.set()

    async def end(self, ending: Ending, *, for_seconds: float) -> None:
        """Writes the attempt's ending, in one transaction with its event and everything that still waits.

        Args:
            ending: How it ended.
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
            current = await self._lock(connection)
            events = [*self._pending.in_flight, *self._pending.waiting, ending.event]
            if (
                current is not None
                and current["fence"] == self.fence
                and current["state"] == ending.state
                and current["last_event"] == self._last_event + len(events)
            ):
                return  # an earlier try was committed, and its answer lost
            self._reconcile(current)
            events = [*self._pending.in_flight, *self._pending.waiting, ending.event]
            now = self._clock()
            cursor = await connection.execute(
                """
                UPDATE jobs
                SET state = %(state)s, result = %(result)s, error = %(error)s, timings = %(timings)s,
                    stage = %(stage)s, progress = %(progress)s, attempt = attempt - %(given_back)s,
                    finished_at = %(finished_at)s::timestamptz,
                    expires_at = %(finished_at)s::timestamptz + retention,
                    heartbeat_at = NULL, claimed_by = NULL, last_event = last_event + %(events)s
                WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
                RETURNING *, now() AS database_now
                """,
                {
                    "id": self.job.id,
                    "fence": self.fence,
                    "state": ending.state,
                    "result": None if ending.result is None else jsonb(ending.result.result),
                    "timings": None if ending.result is None else jsonb(ending.result.timings),
                    "error": None if ending.error is None else jsonb(ending.error),
                    "stage": None if ending.state == "queued" else self._stage,
                    "progress": {"queued": 0.0, "succeeded": 1.0}.get(ending.state, self._progress),
                    "given_back": int(ending.given_back),
                    "finished_at": None if ending.state == "queued" else now,
                    "events": len(events),
                },
            )
            row = await cursor.fetchone()
            if row is None:
                raise FenceLost(f"job {self.job.id} is no longer attempt {self.fence}'s")
            await append_events(connection, row, events, now)
            if ending.state == "queued":
                not_before = row["database_now"] + timedelta(seconds=ending.delay) if ending.delay else None
                token = await self._queue.put(connection, kind=row["kind"], job_id=row["id"], not_before=not_before)
                await set_token(connection, row["id"], token)
            else:
                await count_end(connection, row)

    async def _write_on(self) -> None:
        pause = self._throttle
        while True:
            await self._work.wait()
            if self._closed.is_set():
                return
            self._work.clear()
            try:
                await self._write_pending()
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

    async def _write_pending(self) -> None:
        async with self._database.connection() as connection:
            self._reconcile(await self._lock(connection))
            events = self._pending.take()
            if not events:
                return
            latest = next((data for kind, data in reversed(events) if kind == "progress"), None)
            cursor = await connection.execute(
                """
                UPDATE jobs
                SET last_event = last_event + %(events)s,
                    stage = coalesce(%(stage)s, stage), progress = coalesce(%(progress)s, progress)
                WHERE id = %(id)s AND fence = %(fence)s AND state = 'running'
                RETURNING *
                """,
                {
                    "id": self.job.id,
                    "fence": self.fence,
                    "events": len(events),
                    "stage": latest["stage"] if latest else None,
                    "progress": latest["progress"] if latest else None,
                },
            )
            row = await cursor.fetchone()
            if row is None:
                raise FenceLost(f"job {self.job.id} is no longer attempt {self.fence}'s")
            await append_events(connection, row, events, self._clock())
        self._last_event += len(self._pending.in_flight)
        self._pending.in_flight = []

    async def _lock(self, connection: Connection) -> Row | None:
        cursor = await connection.execute(
            "SELECT state, fence, last_event FROM jobs WHERE id = %s FOR NO KEY UPDATE", [self.job.id]
        )
        return await cursor.fetchone()

    def _reconcile(self, current: Row | None) -> None:
        """Compares the locked row with what this attempt knows of it.

        Raises:
            FenceLost: The row isn't this attempt's any more.
        """
        if current is None or current["fence"] != self.fence or current["state"] != "running":
            raise FenceLost(f"job {self.job.id} is no longer attempt {self.fence}'s")
        if current["last_event"] == self._last_event + len(self._pending.in_flight):
            # The events in flight were committed, and only the answer was lost.
            self._last_event = current["last_event"]
            self._pending.in_flight = []


async def claim(
    database: Database, job_id: UUID, token: int, *, clock: Callable[[], datetime], for_seconds: float
) -> Row | None:
    """Starts a new attempt at the job that a token names.

    Returns:
        The claimed row; None when the token is void, because the job has ended or has got another token.

    Raises:
        DatabaseUnavailable: An outage lasted longer than ``for_seconds``.
    """
    claim_id = uuid4()

    async def once() -> Row | None:
        async with database.connection() as connection:
            now = clock()
            cursor = await connection.execute(
                """
                UPDATE jobs
                SET state = 'running', fence = fence + 1, attempt = attempt + 1, claimed_by = %(claim)s,
                    started_at = %(now)s, heartbeat_at = clock_timestamp(), stage = NULL, progress = 0,
                    last_event = last_event + 1
                WHERE id = %(id)s AND token = %(token)s AND state = 'queued'
                RETURNING *
                """,
                {"id": job_id, "token": token, "claim": claim_id, "now": now},
            )
            row = await cursor.fetchone()
            if row is not None:
                await append_events(connection, row, [("started", {"attempt": row["attempt"]})], now)
                return row
            # A claim that was committed without an answer is ours all the same.
            cursor = await connection.execute(
                "SELECT * FROM jobs WHERE id = %s AND claimed_by = %s AND state = 'running'", [job_id, claim_id]
            )
            return await cursor.fetchone()

    return await database.retry(once, for_seconds=for_seconds)
