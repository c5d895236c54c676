"""Wakes the readers of jobs' events: one LISTEN for the whole process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from storage.database import Database

_CHANNEL = "job_events"


class EventHub:
    """Listen for new events and wake the tasks that wait for a job.

    Listening starts with the first waiter and lasts until :meth:`close`. After a lost connection every waiter is woken,
    since notifications may have been missed; a waiter reads the events from the table, so waking it needlessly is
    harmless.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiters: dict[UUID, set[asyncio.Event]] = {}
        self._listener: asyncio.Task[None] | None = None

    @contextmanager
    def waiter(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """Lend an asyncio event that is set whenever the job may have new events."""
        if self._listener is None or self._listener.done():
            listening = self._database.listen([_CHANNEL], lambda _, payload: self._wake(UUID(payload)), self._wake_all)
            self._listener = asyncio.create_task(listening, name="job events")
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
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})
            self._listener = None

    def _wake(self, job_id: UUID) -> None:
        for event in self._waiters.get(job_id, ()):
            event.set()

    def _wake_all(self) -> None:
        for job_id in self._waiters:
            self._wake(job_id)
