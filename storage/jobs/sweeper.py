"""Takes jobs over from workers that died."""

import time
from collections.abc import Callable, Collection, Hashable
from datetime import datetime
from uuid import UUID

import structlog

from storage.database import Database
from storage.jobs.rows import Row
from storage.jobs.transitions import Ending, end_attempt
from storage.jobs.types import JobFailure

log = structlog.get_logger(__name__)

_LOST = JobFailure("worker_lost", "The worker stopped unexpectedly.", retryable=True)
_LOST_EVERY_TIME = JobFailure(
    "worker_lost", "The worker stopped unexpectedly every time it tried to do this job.", retryable=False
)


class Sweeper:
    """Finds running jobs whose heartbeat stands still and ends their attempts. Any number of processes may do so.

    The time is measured here, with this process's own monotonic clock, and starts anew after an outage of the database:
    so neither clocks that differ nor an outage, in which no heart can beat, make a living worker look dead.

    Args:
        database: An open database with the current schema.
        stalled_after: Seconds without a heartbeat.
        clock: Tells the time that is written into rows.
        holding: The jobs in this process's own hands: only others may say that they stand still.
        monotonic: Measures spans of time, in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        stalled_after: float,
        clock: Callable[[], datetime],
        holding: Callable[[], Collection[UUID]] = tuple,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._stalled_after = stalled_after
        self._clock = clock
        self._holding = holding
        self._monotonic = monotonic
        self._last_sweep = monotonic()
        # The fence and heartbeat of each running job, and since when they have been the same.
        self._observed: dict[UUID, tuple[Hashable, float]] = {}

    async def sweep(self) -> int:
        """Look at every running job and take over those that stand still.

        Returns:
            How many were taken over.

        Raises:
            DatabaseUnavailable: Observations start anew.
        """
        try:
            return sum([await self._take_over(row) for row in self._stalled(await self._running())])
        except BaseException:
            self._observed.clear()
            raise

    async def _running(self) -> list[Row]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT id, fence, heartbeat_at FROM jobs WHERE state = 'running' ORDER BY id"
            )
            return await cursor.fetchall()

    def _stalled(self, rows: list[Row]) -> list[Row]:
        now = self._monotonic()
        if now - self._last_sweep > self._stalled_after:
            self._observed.clear()  # this process, or the whole machine, stood still itself
        self._last_sweep = now
        before, self._observed = self._observed, {}
        stalled = []
        for row in rows:
            if row["id"] in self._holding():
                continue
            looks = (row["fence"], row["heartbeat_at"])
            looked, since = before.get(row["id"], (looks, now))
            if looked != looks:
                since = now
            self._observed[row["id"]] = (looks, since)
            if now - since >= self._stalled_after:
                stalled.append(row)
        return stalled

    async def _take_over(self, seen: Row) -> bool:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT * FROM jobs
                WHERE id = %(id)s AND state = 'running' AND fence = %(fence)s
                  AND heartbeat_at IS NOT DISTINCT FROM %(heartbeat_at)s
                FOR NO KEY UPDATE SKIP LOCKED
                """,
                seen,
            )
            row = await cursor.fetchone()
            if row is None:  # it lives, or another process is taking it over
                return False
            if row["attempt"] < row["max_attempts"]:
                ending = Ending.retrying(_LOST, row["attempt"], 0.0)
            else:
                ending = Ending.failed(_LOST_EVERY_TIME)
            log.warning("took a job over from a lost worker", job_id=str(row["id"]), state=ending.state)
            await end_attempt(connection, row["id"], row["fence"], row["last_event"] + 1, [], ending, self._clock())
        return True
