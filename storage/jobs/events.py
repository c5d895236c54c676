"""Waking up the readers of jobs' events: one LISTEN for the whole process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import structlog

from storage.database import Database, DatabaseUnavailable
from storage.jobs.rows import EVENTS_CHANNEL

log = structlog.get_logger(__name__)

# A connection that says nothing for so long is asked whether it is alive.
_SILENCE_SECONDS = 15.0
_LONGEST_PAUSE_SECONDS = 5.0


class EventHub:
    """Listens on one connection of its own and wakes whoever waits for a job.

    It starts with the first waiter and listens on until it is closed. After a lost connection everybody is woken, since
    notifications may have been missed; a waiter reads the events from the table, so a needless waking does no harm.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: dict[UUID, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None

    @contextmanager
    def waiter(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """Lends an event that is set whenever the job may have news."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="job events")
        event = asyncio.Event()
        self._waiters.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            others = self._waiters[job_id]
            others.remove(event)
            if not others:
                del self._waiters[job_id]

    async def close(self) -> None:
        """Stops listening."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
            self._listener = None

    async def _listen(self) -> None:
        pause = 0.1
        while True:
            try:
                async with await self._database.dedicated() as connection:
                    await connection.execute(f"LISTEN {EVENTS_CHANNEL}")
                    self._wake_all()
                    pause = 0.1
                    while True:
                        async for notification in connection.notifies(timeout=_SILENCE_SECONDS):
                            self._wake(UUID(notification.payload))
                        await connection.execute("SELECT 1")
            except (DatabaseUnavailable, psycopg.OperationalError) as error:
                log.warning("lost the connection for job events", error=str(error).strip())
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _wake(self, job_id: UUID) -> None:
        for event in self._waiters.get(job_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for job_id in self._waiters:
            self._wake(job_id)
