"""Doing jobs: claims, handlers, retries, heartbeats, and a stop that loses nothing."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from structlog.contextvars import bound_contextvars

from storage.clock import utc_now
from storage.database import Database, DatabaseUnavailable
from storage.jobs.attempt import Attempt, Ending, claim
from storage.jobs.errors import FenceLost
from storage.jobs.queue import DeliveryQueue
from storage.jobs.reconciler import Reconciler
from storage.jobs.types import JobFailure, JobResult

log = structlog.get_logger(__name__)

Handler = Callable[[Attempt], Awaitable[JobResult]]
Classify = Callable[[BaseException], JobFailure]

# A cancelled handler that doesn't end by then is left behind: its writes are fenced off.
_CANCEL_SECONDS = 5.0
# What a stopping worker needs at most to write its endings.
_STOP_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 10.0


@dataclass(frozen=True)
class Backoff:
    """Exponential waiting between attempts, with jitter.

    Attributes:
        base: Seconds after the first attempt; doubled after each further one.
        longest: The limit, in seconds.
        jitter: How far the wait strays from that, as a fraction of it.
    """

    base: float = 2.0
    longest: float = 60.0
    jitter: float = 0.25

    def delay(self, attempt: int, uniform: float) -> float:
        """The wait after an attempt (1, 2, ...); ``uniform`` is a random number from 0 to 1."""
        exact = min(self.longest, self.base * 2.0 ** (attempt - 1))
        return exact * (1.0 + self.jitter * (2.0 * uniform - 1.0))


class _Run:
    """A job in this worker's hands."""

    def __init__(self, attempt: Attempt) -> None:
        loop = asyncio.get_running_loop()
        self.attempt = attempt
        self.over: asyncio.Future[None] = loop.create_future()
        self.wanted_back: asyncio.Future[None] = loop.create_future()

    def give_back(self) -> None:
        if not self.wanted_back.done():
            self.wanted_back.set_result(None)


class JobWorker:
    """Does the jobs of the kinds that it has handlers for.

    A handler gets an :class:`Attempt` and returns a :class:`JobResult`. It may be run again after a crash, so what it
    writes elsewhere must bear repeating; it is cancelled (``CancelledError`` at its next ``await``) when the owner
    cancels, the time limit is over, the worker stops, or the job has been given to another worker. An exception is
    turned into a :class:`JobFailure` by ``classify``: a retryable one leads to another attempt, if any is left.

    The database may be killed and restarted at any time: handlers go on, and what they have to say is written when it
    is back. A worker may be killed at any time: another one notices that its heartbeat stands still and takes over.

    Usage::

        worker = JobWorker(database, {"transcription": transcribe}, classify=classify, concurrency=2)
        task = asyncio.create_task(worker.run())
        ...
        await worker.stop(grace=10.0)

    Args:
        database: An open database with the current schema. While it works, the worker holds one more connection.
        handlers: By kind of job.
        classify: Turns a handler's exception into what the owner is told.
        concurrency: Jobs done at the same time.
        heartbeat: Seconds between signs of life.
        stalled_after: Seconds without a sign of life after which a job is taken over; several heartbeats.
        poll_interval: Seconds between looks for jobs whose retry is due (new ones are announced).
        backoff: Waiting between attempts.
        outage_limit: Seconds that an ending waits for the database before it is given up, and done again by whoever
            takes the job over.
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
        self._queue = DeliveryQueue(database)
        # By job and fence: the owner may cancel a job and have it tried again before its handler has noticed.
        self._runs: dict[tuple[UUID, int], _Run] = {}
        self._reconciler = Reconciler(
            database, self._queue, stalled_after=stalled_after, clock=clock, holding=lambda: self.running
        )
        self._deliveries: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._delivering: asyncio.Task[None] | None = None

    @property
    def running(self) -> frozenset[UUID]:
        """The jobs in this worker's hands."""
        return frozenset(job_id for job_id, _fence in self._runs)

    async def run(self) -> None:
        """Works until :meth:`stop` is called; cancelling it is a stop without grace."""
        if self._delivering is not None:
            raise RuntimeError("the worker runs already")
        self._stopping = False
        self._delivering = asyncio.create_task(self._deliver_on(), name="job delivery")
        side = [
            asyncio.create_task(self._repeat("heartbeat", self._beat), name="job heartbeats"),
            asyncio.create_task(self._repeat("sweep", self._reconciler.sweep), name="job reconciliation"),
        ]
        try:
            await asyncio.wait({self._delivering})
        except asyncio.CancelledError:
            await self.stop(grace=0.0)
            raise
        finally:
            for task in side:
                task.cancel()
            await asyncio.wait(side)
            self._delivering = None

    async def stop(self, grace: float) -> None:
        """Takes no more jobs, lets those under way go on for ``grace`` seconds, and gives the rest back.

        A job that is given back is queued again and the attempt not counted.
        """
        delivering = self._delivering
        if delivering is None:
            return
        if not self._stopping:
            self._stopping = True
            delivering.cancel()
        if self._runs:
            await asyncio.wait([run.over for run in self._runs.values()], timeout=grace)
        for run in self._runs.values():
            run.give_back()
        await asyncio.wait({delivering}, timeout=_STOP_SECONDS)
        if not delivering.done():
            # The database is away: whoever finds these jobs without a heartbeat takes them over.
            log.error("stopping without having given all jobs back", jobs=[str(job_id) for job_id in self.running])
            for delivery in self._deliveries:
                delivery.cancel()
            await asyncio.wait({delivering})

    # --- loops ----------------------------------------------------------------------------------------------------

    async def _deliver_on(self) -> None:
        pause = 1.0
        while not self._stopping:
            try:
                await self._queue.deliver(
                    self._deliver,
                    kinds=sorted(self._handlers),
                    concurrency=self._concurrency,
                    heartbeat=self._heartbeat,
                    poll_interval=self._poll_interval,
                )
            except asyncio.CancelledError:
                if self._stopping:
                    return
                raise
            except Exception:
                log.exception("the delivery of jobs stopped, starting it again", pause=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _repeat(self, what: str, action: Callable[[], Coroutine[Any, Any, object]]) -> None:
        while True:
            try:
                await action()
            except DatabaseUnavailable as error:
                log.warning("database unavailable", during=what, error=str(error))
            except Exception:
                log.exception("a periodic task failed", task=what)
            await asyncio.sleep(self._heartbeat * (0.9 + 0.2 * self._uniform()))

    async def _beat(self) -> None:
        runs = list(self._runs.values())
        if not runs:
            return
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                UPDATE jobs SET heartbeat_at = clock_timestamp()
                FROM unnest(%s::uuid[], %s::bigint[]) AS held (id, fence)
                WHERE jobs.id = held.id AND jobs.fence = held.fence AND jobs.state = 'running'
                RETURNING jobs.id, jobs.fence
                """,
                [[run.attempt.job.id for run in runs], [run.attempt.fence for run in runs]],
            )
            alive = {(row["id"], row["fence"]) for row in await cursor.fetchall()}
        for run in runs:
            if (run.attempt.job.id, run.attempt.fence) not in alive:
                run.attempt.lose()

    # --- one job --------------------------------------------------------------------------------------------------

    async def _deliver(self, job_id: UUID, token: int, cancelled: Callable[[], bool]) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a delivery runs outside of any task")
        self._deliveries.add(task)
        try:
            await self._do(job_id, token)
        except FenceLost as error:
            log.info("stopped working on a job that is not this worker's any more", reason=str(error))
        except DatabaseUnavailable:
            log.exception("the database was away for too long, leaving the job to others", job_id=str(job_id))
        except asyncio.CancelledError:
            if not cancelled():
                raise
        except Exception:
            log.exception("the end of an attempt could not be written, leaving the job to others", job_id=str(job_id))
        finally:
            self._deliveries.discard(task)

    async def _do(self, job_id: UUID, token: int) -> None:
        if self._stopping:
            return  # its row stays queued, and another worker replaces the token
        row = await claim(self._database, job_id, token, clock=self._clock, for_seconds=self._outage_limit)
        if row is None:
            return
        attempt = Attempt(self._database, self._queue, row, clock=self._clock, throttle=self._throttle)
        held = (job_id, attempt.fence)
        run = self._runs[held] = _Run(attempt)
        attempt.open()
        context = {
            "correlation_id": attempt.job.correlation_id,
            "job_id": str(job_id),
            "kind": attempt.job.kind,
            "attempt": attempt.job.attempt,
        }
        try:
            with bound_contextvars(**context):
                await self._end(attempt, await self._ending(run))
        finally:
            await attempt.close()
            del self._runs[held]
            run.over.set_result(None)

    async def _end(self, attempt: Attempt, ending: Ending) -> None:
        try:
            await attempt.end(ending, for_seconds=self._outage_limit)
        except ValueError as error:
            ending = self._failure_ending(attempt, error)
            await attempt.end(ending, for_seconds=self._outage_limit)
        log.info("attempt ended", state=ending.state, event_type=ending.event[0])

    async def _ending(self, run: _Run) -> Ending:
        """Runs the handler to its end, or to whatever comes first."""
        attempt = run.attempt
        handler = asyncio.ensure_future(self._handlers[attempt.job.kind](attempt))
        lost = asyncio.ensure_future(attempt.lost.wait())
        watched: set[asyncio.Future[Any]] = {handler, lost, run.wanted_back}
        try:
            await asyncio.wait(
                watched,
                timeout=attempt.job.time_limit,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            lost.cancel()
            in_time = handler.done()
            if not in_time:
                await _cancel(handler)
        if attempt.lost.is_set():
            raise FenceLost(f"job {attempt.job.id} is no longer attempt {attempt.fence}'s")
        if run.wanted_back.done() and not in_time:
            return Ending.giving_back()
        if not in_time:
            limit = attempt.job.time_limit
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
