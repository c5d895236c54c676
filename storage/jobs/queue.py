"""The delivery of jobs, on procrastinate's queue.

A job's row is the truth about it. A procrastinate job is only a token that one worker fetches, with ``SKIP LOCKED``,
and that names the row to look at. Whoever puts a row back to ``queued`` writes a new token in the same transaction; a
token that is not its row's current one is void.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import AbortReason, JobContext

from storage.database import Connection, Database

T = TypeVar("T")

TASK = "voicegraph.job"
# Leases are judged by the heartbeats of the rows; procrastinate's own list of workers only has to stay tidy.
_FORGET_WORKER_SECONDS = 3600.0
_LONGEST_PAUSE_SECONDS = 2.0

Deliver = Callable[[UUID, int, Callable[[], bool]], Awaitable[None]]
"""Works on a delivered job: its id, the token, and whether its owner has cancelled it."""


class DeliveryQueue:
    """Writes, revokes and delivers the tokens of jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connector = _PatientConnector()
        self._app = procrastinate.App(connector=self._connector)

    async def put(self, connection: Connection, *, kind: str, job_id: UUID, not_before: datetime | None = None) -> int:
        """Writes a token in the connection's transaction and returns its id."""
        task = self._app.configure_task(TASK, queue=kind, schedule_at=not_before, connection=connection)
        with _driver_errors():
            return await task.defer_async(job_id=str(job_id))

    async def revoke(self, connection: Connection, token: int) -> None:
        """Takes a waiting token back; the worker that is busy with a fetched one is told to stop."""
        with _driver_errors():
            await self._app.job_manager.cancel_job_by_id_async(
                token, abort=True, delete_job=True, connection=connection
            )

    async def deliver(
        self, deliver: Deliver, *, kinds: Sequence[str], concurrency: int, heartbeat: float, poll_interval: float
    ) -> None:
        """Fetches tokens of these kinds and awaits ``deliver`` for each, at most ``concurrency`` at a time.

        Cancelling stops the fetching and waits for the deliveries under way; an outage of the database only pauses it.
        """
        # Procrastinate sets the row factory it needs on its own cursors.
        await self._connector.open_async(cast(Any, self._database.pool))
        self._connector.patient = True

        async def run(context: JobContext, job_id: str) -> None:
            if context.job.id is None:
                raise RuntimeError("procrastinate delivered a job without an id")
            await deliver(UUID(job_id), context.job.id, lambda: context.abort_reason() is AbortReason.USER_REQUEST)

        self._app.tasks.pop(TASK, None)
        self._app.task(name=TASK, pass_context=True)(run)
        worker = asyncio.create_task(
            self._app.run_worker_async(
                queues=list(kinds),
                concurrency=concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                update_heartbeat_interval=heartbeat,
                stalled_worker_timeout=_FORGET_WORKER_SECONDS,
                fetch_job_polling_interval=poll_interval,
                abort_job_polling_interval=poll_interval,
            )
        )
        try:
            await asyncio.shield(worker)
        except asyncio.CancelledError:
            self._connector.patient = False
            worker.cancel()
            await asyncio.wait({worker})
            raise

    async def remove_leftovers(self) -> None:
        """Removes tokens whose worker died after their jobs had ended or had got a new token, and the dead workers."""
        async with self._database.connection() as connection:
            await connection.execute(
                """
                DELETE FROM procrastinate_jobs AS token
                WHERE token.task_name = %(task)s
                  AND token.status <> 'todo'
                  AND NOT EXISTS (
                      SELECT FROM procrastinate_workers AS worker
                      WHERE worker.id = token.worker_id
                        AND worker.last_heartbeat > now() - make_interval(secs => %(forget)s)
                  )
                  AND NOT EXISTS (
                      SELECT FROM jobs WHERE jobs.token = token.id AND jobs.state IN ('queued', 'running')
                  )
                """,
                {"task": TASK, "forget": _FORGET_WORKER_SECONDS},
            )
            await connection.execute(
                "DELETE FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => %s)",
                [_FORGET_WORKER_SECONDS],
            )


class _PatientConnector(procrastinate.PsycopgConnector):
    """Procrastinate's connector, except that its queries outlast a restart of the database instead of failing.

    A failing query would stop procrastinate's worker, which then fetches nothing until its running jobs have ended.
    Fetching is not idempotent: a token whose fetch was committed but never answered is lost, and is replaced by
    :class:`storage.jobs.reconciler.Reconciler`.
    """

    patient = False

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        try:
            await self._patiently(lambda: super(_PatientConnector, self).execute_query_async(query, **arguments))
        except ConnectorException as error:
            # Procrastinate raises when it finishes a token that is gone: then there is nothing left to finish.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        return await self._patiently(lambda: super(_PatientConnector, self).execute_query_one_async(query, **arguments))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        return await self._patiently(lambda: super(_PatientConnector, self).execute_query_all_async(query, **arguments))

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        await self._patiently(lambda: super(_PatientConnector, self).listen_notify(on_notification, channels))

    async def _patiently(self, query: Callable[[], Awaitable[T]]) -> T:
        pause = 0.1
        while True:
            try:
                return await query()
            except ConnectorException as error:
                if not self.patient or not isinstance(error.__cause__, psycopg.OperationalError):
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


@contextmanager
def _driver_errors() -> Iterator[None]:
    """Unwraps procrastinate's errors: an outage must look the same whichever statement of a transaction meets it."""
    try:
        yield
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.Error):
            raise error.__cause__ from None
        raise
