"""Works on jobs: claims, handlers, retries, heartbeats, and a stop that loses nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog
from structlog.contextvars import bound_contextvars

from storage.clock import utc_now
from storage.database import Database, DatabaseUnavailable
from storage.jobs.attempt import Attempt
from storage.jobs.errors import FenceLost
from storage.jobs.rows import Row
from storage.jobs.sweeper import Sweeper
from storage.jobs.transitions import CHANNEL_CANCELLED, CHANNEL_QUEUED, Ending, claim
from storage.jobs.types import JobFailure, JobResult

log = structlog.get_logger(__name__)

Handler = Callable[[Attempt], Awaitable[JobResult]]
Classify = Callable[[BaseException], JobFailure]

# A cancelled handler that doesn't end by then is left behind: its writes are fenced off.
_CANCEL_SECONDS = 5.0
# What a stopping worker needs at most to write its endings.
_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Backoff:
    """Exponential delay between attempts, with jitter.

    Attributes:
        base: Seconds after the first attempt; doubled after each further one.
        longest: The limit, in seconds.
        jitter: Largest deviation from that, as a fraction of it.
    """

    base: float = 2.0
    longest: float = 60.0
    jitter: float = 0.25

    def delay(self, attempt: int, uniform: float) -> float:
        """Return the delay in seconds after an attempt (1, 2, ...); ``uniform`` is a random number from 0 to 1."""
        exact = min(self.longest, self.base * 2.0 ** (attempt - 1))
        return exact * (1.0 + self.jitter * (2.0 * uniform - 1.0))


class JobWorker:
    """Works on the jobs of the kinds that it has handlers for.

    A handler gets an :class:`Attempt` and returns a :class:`JobResult`. It may be run again after a crash, so what it
    writes elsewhere must bear repeating; it is cancelled (``CancelledError`` at its next ``await``) when the owner
    cancels, the time limit is over, the worker stops, or the job has been given to another worker. An exception is
    turned into a :class:`JobFailure` by ``classify``: a retryable one leads to another attempt, if any is left.

    The database may be killed and restarted at any time: handlers go on, and their events and results are written when
    it is back. A worker may be killed at any time: another one notices that its heartbeat stands still and takes over.

    Usage::

        worker = JobWorker(database, {"transcription": transcribe}, classify=classify, concurrency=2)
        task = asyncio.create_task(worker.run())
        ...
        await worker.stop(grace=10.0)

    Args:
        database: An open database with the current schema. While it works, the worker holds one more connection.
        handlers: By kind of job.
        classify: Turns a handler's exception into the owner's description of it.
        concurrency: Jobs run at the same time.
        heartbeat: Seconds between heartbeats.
        stalled_after: Seconds without a heartbeat after which a job is taken over; at least two heartbeats.
        poll_interval: Seconds between polls for jobs whose retry is due (workers are notified of new ones).
        backoff: Delay between attempts.
        outage_limit: Seconds for which an attempt's end waits for the database; after that another worker takes the
            job over.
        throttle: Seconds between writes of progress.
        clock: Tells the time.
        uniform: Makes random numbers from 0 to 1.
    """

    def __init__(
        self,
        database: Database,
        handlers: Mapping[str, Handler],
        *,
        classify: Classify,
        concurrency: int = 1,
        heartbeat: float = 5.0,
        stalled_after: float = 20.0,
        poll_interval: float = 2.0,
        backoff: Backoff = Backoff(),
        outage_limit: float = 300.0,
        throttle: float = 0.25,
        clock: Callable[[], datetime] = utc_now,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        if stalled_after < 2 * heartbeat:
            raise ValueError("stalled_after must be at least two heartbeats")
        self._database = database
        self._handlers = dict(handlers)
        self._classify = classify
        self._concurrency = concurrency
        self._heartbeat = heartbeat
        self._poll_interval = poll_interval
        self._backoff = backoff
        self._outage_limit = outage_limit
        self._throttle = throttle
        self._clock = clock
        self._uniform = uniform
        # What is being worked on. The owner may cancel a job and have it tried again before its handler has noticed, so
        # that one job may be here twice.
        self._attempts: dict[Attempt, asyncio.Task[None]] = {}
        self._sweeper = Sweeper(database, stalled_after=stalled_after, clock=clock, holding=lambda: self.running)
        # Kept while a claim has no answer, so that repeating it finds the job that it may have claimed.
        self._claim_id = uuid4()
        self._stopping = False
        self._wake = asyncio.Event()
        self._beat_now = asyncio.Event()
        self._claiming: asyncio.Task[None] | None = None

    @property
    def running(self) -> frozenset[UUID]:
        """The ids of the jobs that this worker is running."""
        return frozenset(attempt.job.id for attempt in self._attempts)

    async def run(self) -> None:
        """Work until :meth:`stop` is called; cancelling it is a stop without grace."""
        if self._claiming is not None:
            raise RuntimeError("the worker runs already")
        self._stopping = False
        self._claiming = asyncio.create_task(self._claim_until_stopped(), name="job claims")
        listening = self._database.listen([CHANNEL_QUEUED, CHANNEL_CANCELLED], self._notified, self._listening)
        side = [
            asyncio.create_task(listening, name="job notifications"),
            asyncio.create_task(self._repeat("heartbeat", self._beat, self._beat_now), name="job heartbeats"),
            asyncio.create_task(self._repeat("sweep", self._sweeper.sweep, asyncio.Event()), name="job sweeps"),
        ]
        try:
            await asyncio.wait({self._claiming})
            await self._idle()
        except asyncio.CancelledError:
            await self.stop(grace=0.0)
            raise
        finally:
            for task in side:
                task.cancel()
            await asyncio.wait(side)
            self._claiming = None

    async def stop(self, grace: float) -> None:
        """Take no more jobs, let those under way go on for ``grace`` seconds, and give the rest back.

        A job that is given back is queued again and the attempt not counted.
        """
        claiming = self._claiming
        if claiming is None:
            return
        self._stopping = True
        self._wake.set()
        if self._attempts:
            await asyncio.wait(self._attempts.values(), timeout=grace)
        for attempt in self._attempts:
            attempt.give_back()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.wait({claiming})  # it may still begin an attempt, and gives that back
                await self._idle()
        unfinished = [task for task in (claiming, *self._attempts.values()) if not task.done()]
        if unfinished:
            # The database is away: whoever finds these jobs without a heartbeat takes them over.
            log.error("stopping without having given all jobs back", jobs=[str(job_id) for job_id in self.running])
            for task in unfinished:
                task.cancel()
            await asyncio.wait(unfinished)

    async def _idle(self) -> None:
        while self._attempts:
            await asyncio.wait(self._attempts.values())

    # --- loops ----------------------------------------------------------------------------------------------------

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            self._wake.clear()
            row = await self._claim() if len(self._attempts) < self._concurrency else None
            if row is not None:
                self._begin(row)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_interval):
                    await self._wake.wait()

    async def _claim(self) -> Row | None:
        try:
            async with self._database.connection() as connection:
                row = await claim(connection, list(self._handlers), self._claim_id, self._clock())
        except DatabaseUnavailable as error:
            log.warning("database unavailable", during="claim", error=str(error))
            return None
        except Exception:
            log.exception("a job could not be claimed")
            return None
        self._claim_id = uuid4()
        return row

    def _begin(self, row: Row) -> None:
        attempt = Attempt(self._database, row, clock=self._clock, throttle=self._throttle)
        task = asyncio.create_task(self._work(attempt), name=f"job {attempt.job.id}")
        self._attempts[attempt] = task
        task.add_done_callback(lambda _: self._ended(attempt))
        if self._stopping:
            attempt.give_back()

    def _ended(self, attempt: Attempt) -> None:
        del self._attempts[attempt]
        self._wake.set()

    def _listening(self) -> None:
        """Look at once for jobs that were queued or cancelled before notifications could be received."""
        self._wake.set()
        self._beat_now.set()

    def _notified(self, channel: str, payload: str) -> None:
        if channel == CHANNEL_QUEUED:
            if payload in self._handlers:
                self._wake.set()
            return
        for attempt in self._attempts:
            if payload == f"{attempt.job.id} {attempt.fence}":
                attempt.lose()

    async def _repeat(
        self, what: str, action: Callable[[], Coroutine[Any, Any, object]], at_once: asyncio.Event
    ) -> None:
        while True:
            at_once.clear()
            try:
                await action()
            except DatabaseUnavailable as error:
                log.warning("database unavailable", during=what, error=str(error))
            except Exception:
                log.exception("a periodic task failed", task=what)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat * (0.9 + 0.2 * self._uniform())):
                    await at_once.wait()

    async def _beat(self) -> None:
        attempts = list(self._attempts)
        if not attempts:
            return
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE jobs SET heartbeat_at = clock_timestamp()
                FROM unnest(%s::uuid[], %s::bigint[]) AS held (id, fence)
                WHERE jobs.id = held.id AND jobs.fence = held.fence AND jobs.state = 'running'
                RETURNING jobs.id, jobs.fence
                """,
                [[attempt.job.id for attempt in attempts], [attempt.fence for attempt in attempts]],
            )
            alive = {(row["id"], row["fence"]) for row in await cursor.fetchall()}
        for attempt in attempts:
            if (attempt.job.id, attempt.fence) not in alive:
                attempt.lose()

    # --- one job --------------------------------------------------------------------------------------------------

    async def _work(self, attempt: Attempt) -> None:
        job = attempt.job
        attempt.open()
        try:
            with bound_contextvars(
                correlation_id=job.correlation_id, job_id=str(job.id), kind=job.kind, attempt=job.attempt
            ):
                await self._end(attempt, await self._ending(attempt))
        except FenceLost as error:
            log.info("stopped working on a job that is not this worker's any more", reason=str(error))
        except DatabaseUnavailable:
            log.exception("the database was away for too long, leaving the job to others", job_id=str(job.id))
        except Exception:
            log.exception("the end of an attempt could not be written, leaving the job to others", job_id=str(job.id))
        finally:
            await attempt.close()

    async def _end(self, attempt: Attempt, ending: Ending) -> None:
        try:
            await attempt.end(ending, for_seconds=self._outage_limit)
        except ValueError as error:
            ending = self._failure_ending(attempt, error)
            await attempt.end(ending, for_seconds=self._outage_limit)
        log.info("attempt ended", state=ending.state, event_type=ending.event[0])

    async def _ending(self, attempt: Attempt) -> Ending:
        """Run the handler to its end, or to whatever comes first.

        Raises:
            FenceLost: The job isn't this attempt's any more.
        """
        handler = asyncio.ensure_future(self._handlers[attempt.job.kind](attempt))
        interruption = asyncio.ensure_future(attempt.interrupted.wait())
        limit = attempt.job.time_limit
        try:
            await asyncio.wait({handler, interruption}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            interruption.cancel()
            in_time = handler.done()
            if not in_time:
                await _cancel(handler)
        if attempt.lost:
            raise FenceLost(attempt.job.id, attempt.fence)
        if not in_time and attempt.given_back:
            return Ending.giving_back()
        if not in_time:
            return Ending.failed(
                JobFailure("time_limit", f"The job took longer than its time limit of {limit:g} s.", retryable=False)
            )
        try:
            return Ending.succeeded(handler.result())
        except FenceLost:
            raise
        except (Exception, asyncio.CancelledError) as error:
            return self._failure_ending(attempt, error)

    def _failure_ending(self, attempt: Attempt, error: BaseException) -> Ending:
        try:
            failure = self._classify(error)
        except Exception:
            log.exception("an error could not be classified")
            failure = JobFailure("internal_error", "An internal error occurred.", retryable=True)
        job = attempt.job
        if failure.retryable and job.attempt < job.max_attempts:
            delay = self._backoff.delay(job.attempt, self._uniform())
            log.warning("attempt failed, trying again", code=failure.code, delay=delay, exc_info=error)
            return Ending.retrying(failure, job.attempt, delay)
        log.warning("job failed", code=failure.code, exc_info=error)
        return Ending.failed(failure)


async def _cancel(handler: asyncio.Future[JobResult]) -> None:
    handler.cancel()
    await asyncio.wait({handler}, timeout=_CANCEL_SECONDS)
    if not handler.done():
        log.warning("a cancelled handler goes on", seconds=_CANCEL_SECONDS)
    elif not handler.cancelled():
        handler.exception()  # looked at, so that asyncio doesn't report it as forgotten
