"""Finding jobs that nobody works on any more, and giving them to somebody."""

import time
from collections.abc import Callable, Collection, Hashable
from datetime import datetime
from uuid import UUID

import structlog

from storage.database import Connection, Database
from storage.jobs.queue import TASK, DeliveryQueue
from storage.jobs.rows import Row, append_events, count_end, jsonb, set_token
from storage.jobs.types import JobFailure

log = structlog.get_logger(__name__)

WORKER_LOST = JobFailure(
    code="worker_lost",
    message="The worker stopped unexpectedly every time it tried to do this job.",
    retryable=False,
)


class Reconciler:
    """Takes over from dead workers and replaces lost tokens. Any number of processes may do so at once.

    A job is in trouble when it stays exactly as it is for ``stalled_after`` seconds although it shouldn't: it is
    running and its heartbeat stands still, or it is queued and its token isn't waiting. The time is measured here, with
    this process's own monotonic clock, and starts anew after an outage of the database: so neither clocks that differ
    nor an outage, in which no heart can beat, make a living worker look dead.

    Args:
        database: Where the jobs are.
        queue: Gets the new tokens.
        stalled_after: Seconds without a sign of life.
        clock: Tells the time that is written into rows.
        holding: The jobs in this process's own hands: only others may say that they stand still.
        monotonic: Measures spans of time, in seconds.
    """

    def __init__(
        self,
        database: Database,
        queue: DeliveryQueue,
        *,
        stalled_after: float,
        clock: Callable[[], datetime],
        holding: Callable[[], Collection[UUID]] = tuple,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._queue = queue
        self._stalled_after = stalled_after
        self._clock = clock
        self._holding = holding
        self._monotonic = monotonic
        self._last_sweep = monotonic()
        # How each suspect looked, and since when.
        self._suspects: dict[UUID, tuple[Hashable, float]] = {}

    def forget(self) -> None:
        """Starts all observations anew; for after an outage."""
        self._suspects.clear()

    async def sweep(self) -> int:
        """Looks at every job that hasn't ended and repairs those in trouble.

        Returns:
            How many were repaired.

        Raises:
            DatabaseUnavailable: Observations start anew.
        """
        try:
            stalled = self._stalled(await self._suspicious_rows())
            repaired = 0
            for row in stalled:
                repaired += await self._repair(row)
        except BaseException:
            self.forget()
            raise
        return repaired

    async def _suspicious_rows(self) -> list[Row]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT jobs.id, jobs.state, jobs.fence, jobs.heartbeat_at, jobs.token
                FROM jobs
                WHERE jobs.state = 'running'
                   OR (jobs.state = 'queued' AND NOT EXISTS (
                          SELECT FROM procrastinate_jobs AS token
                          WHERE token.id = jobs.token AND token.status = 'todo' AND token.task_name = %s
                      ))
                ORDER BY jobs.id
                """,
                [TASK],
            )
            return await cursor.fetchall()

    def _stalled(self, rows: list[Row]) -> list[Row]:
        now = self._monotonic()
        if now - self._last_sweep > self._stalled_after:
            self.forget()  # this process, or the whole machine, stood still itself
        self._last_sweep = now
        before, self._suspects = self._suspects, {}
        stalled = []
        for row in rows:
            if row["id"] in self._holding():
                continue
            looks = (row["state"], row["fence"], row["heartbeat_at"], row["token"])
            looked, since = before.get(row["id"], (looks, now))
            if looked != looks:
                since = now
            self._suspects[row["id"]] = (looks, since)
            if now - since >= self._stalled_after:
                stalled.append(row)
        return stalled

    async def _repair(self, seen: Row) -> bool:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT * FROM jobs
                WHERE id = %(id)s AND state = %(state)s AND fence = %(fence)s
                  AND heartbeat_at IS NOT DISTINCT FROM %(heartbeat_at)s AND token IS NOT DISTINCT FROM %(token)s
                FOR NO KEY UPDATE SKIP LOCKED
                """,
                seen,
            )
            row = await cursor.fetchone()
            if row is None:  # it lives, or another process is repairing it
                return False
            if row["state"] == "queued":
                log.warning("replacing a lost delivery token", job_id=str(row["id"]))
                await self._redeliver(connection, row)
            elif row["attempt"] < row["max_attempts"]:
                log.warning("taking a job over from a lost worker", job_id=str(row["id"]), attempt=row["attempt"])
                await self._take_over(connection, row)
            else:
                log.error("giving a job up whose workers were all lost", job_id=str(row["id"]), attempt=row["attempt"])
                await self._give_up(connection, row)
        return True

    async def _redeliver(self, connection: Connection, row: Row) -> None:
        token = await self._queue.put(connection, kind=row["kind"], job_id=row["id"])
        await set_token(connection, row["id"], token)

    async def _take_over(self, connection: Connection, row: Row) -> None:
        cursor = await connection.execute(
            """
            UPDATE jobs
            SET state = 'queued', heartbeat_at = NULL, claimed_by = NULL, stage = NULL, progress = 0,
                last_event = last_event + 1
            WHERE id = %s RETURNING *
            """,
            [row["id"]],
        )
        (taken,) = await cursor.fetchall()
        data = {
            "attempt": row["attempt"],
            "delay": 0.0,
            "error": {"code": WORKER_LOST.code, "message": "The worker stopped unexpectedly."},
        }
        await append_events(connection, taken, [("retrying", data)], self._clock())
        await self._redeliver(connection, taken)

    async def _give_up(self, connection: Connection, row: Row) -> None:
        now = self._clock()
        cursor = await connection.execute(
            """
            UPDATE jobs
            SET state = 'failed', error = %(error)s, finished_at = %(now)s, expires_at = %(now)s + retention,
                heartbeat_at = NULL, claimed_by = NULL, last_event = last_event + 1
            WHERE id = %(id)s RETURNING *
            """,
            {"id": row["id"], "error": jsonb(WORKER_LOST.as_json()), "now": now},
        )
        (failed,) = await cursor.fetchall()
        await append_events(connection, failed, [("failed", {"error": WORKER_LOST.as_json()})], now)
        await count_end(connection, failed)
