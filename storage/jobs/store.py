"""The owners' side of the job queue: submit, read, follow, cancel, retry and erase jobs."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import get_args
from uuid import UUID, uuid4

import psycopg

from storage.clock import utc_now
from storage.database import Connection, Database, DatabaseUnavailable
from storage.jobs.backlog import backlog, seconds_until_place, statistics
from storage.jobs.errors import IdempotencyConflict, JobNotFound, NotRetryable, OwnerNotFound, QueueFull
from storage.jobs.events import EventHub
from storage.jobs.rows import Row, event_of, job_of, jsonb
from storage.jobs.transitions import cancel, erase, insert_job, requeue
from storage.jobs.types import ENDED, RETRYABLE, Backlog, Job, JobEvent, JobPage, JobState, JobStatistics, JSONObject

_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_LONGEST_PAGE = 200
_MOST_EVENTS = 1000
# News come by notification; this is for the one that was lost.
_POLL_SECONDS = 15.0
_SUBMIT_RETRY_SECONDS = 5.0
_FOLLOW_RETRY_SECONDS = 300.0
_EXPIRY_BATCH = 200

# Inside JobStore, `list` is the method.
_Keys = list[str]
_Events = list[JobEvent]


class JobStore:
    """The jobs of all owners, in PostgreSQL.

    Every method that takes an owner sees that owner's jobs only: another's don't exist for it.

    Args:
        database: An open database with the current schema.
        clock: Tells the time.
        retention: Time from a job's end to its deletion.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        retention: timedelta = timedelta(days=7),
    ) -> None:
        self._database = database
        self._clock = clock
        self._retention = retention
        self._hub = EventHub(database)

    async def close(self) -> None:
        """Stop listening for events; the database stays open."""
        await self._hub.close()

    async def submit(
        self,
        *,
        owner_id: int,
        kind: str,
        params: JSONObject,
        correlation_id: str,
        input_key: str | None = None,
        idempotency_key: str | None = None,
        fingerprint: str | None = None,
        max_attempts: int = 3,
        time_limit: float = 3600.0,
        cost: float = 0.0,
        job_id: UUID | None = None,
        max_queued: int | None = None,
    ) -> tuple[Job, bool]:
        """Accept a job; when this returns, the job is on disk and will reach an end.

        Args:
            owner_id: The user it belongs to.
            kind: Names the handler: lower-case letters, digits, ``_.-``, at most 40 characters.
            params: The handler's parameters, JSON.
            correlation_id: Ties the job to the request that made it.
            input_key: The object that the handler reads; it is the job's from now on, and deleted with it.
            idempotency_key: The owner's name for this submission: a second one with the same name and the same
                fingerprint returns the first one's job.
            fingerprint: Equal for submissions that are the same; by default a hash of the kind and the params.
            max_attempts: The limit of attempts.
            time_limit: Seconds that an attempt may take.
            cost: The job's size, for measuring the backlog.
            job_id: The new job's id, if the caller needed it earlier (for keys of objects). Submitting it twice is
                submitting it once.
            max_queued: The owner's limit of waiting jobs of this kind; None for no limit.

        Returns:
            The job, and True when this submission made it.

        Raises:
            IdempotencyConflict: The idempotency key was used for something else.
            QueueFull: The owner has too many jobs waiting.
            OwnerNotFound: There is no such user.
            ValueError: The kind or the params can't be stored.
            DatabaseUnavailable: It is unknown whether the job was accepted; submitting the same id again is safe.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no name for a kind of job")
        row = {
            "id": job_id or uuid4(),
            "owner_id": owner_id,
            "kind": kind,
            "params": jsonb(params),
            "input_key": input_key,
            "correlation_id": correlation_id,
            "idempotency_key": idempotency_key,
            "fingerprint": fingerprint if fingerprint is not None else _fingerprint(kind, params),
            "max_attempts": max_attempts,
            "time_limit": time_limit,
            "cost": cost,
            "retention": self._retention,
        }

        async def once() -> tuple[Job, bool]:
            try:
                async with self._database.connection() as connection:
                    return await self._submit(connection, row, max_queued)
            except psycopg.errors.ForeignKeyViolation:
                raise OwnerNotFound(f"there is no user {owner_id}") from None

        return await self._database.retry(once, for_seconds=_SUBMIT_RETRY_SECONDS)

    async def _submit(self, connection: Connection, new: Row, max_queued: int | None) -> tuple[Job, bool]:
        existing = await self._find_submission(connection, new)
        if existing is not None:
            return existing
        if max_queued is not None:
            await _lock_queue(connection, new["owner_id"])
            await _check_queue(connection, new["owner_id"], new["kind"], max_queued)
        row = await insert_job(connection, new, self._clock())
        if row is None:  # somebody else's transaction was faster with this key or id
            existing = await self._find_submission(connection, new)
            if existing is None:
                raise DatabaseUnavailable("a concurrent submission was erased at the same moment")
            return existing
        return job_of(row), True

    async def _find_submission(self, connection: Connection, new: Row) -> tuple[Job, bool] | None:
        """Return an earlier submission with the same id or idempotency key."""
        cursor = await connection.execute(
            """
            SELECT * FROM jobs
            WHERE id = %(id)s OR (owner_id = %(owner_id)s AND idempotency_key = %(idempotency_key)s)
            """,
            new,
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        if row["owner_id"] != new["owner_id"] or row["fingerprint"] != new["fingerprint"]:
            raise IdempotencyConflict(new["idempotency_key"] or str(new["id"]))
        return job_of(row), row["id"] == new["id"]

    async def get(self, job_id: UUID, owner_id: int) -> Job:
        """Return a job.

        Raises:
            JobNotFound: The owner has no such job.
        """
        async with self._database.connection() as connection:
            return job_of(await _row(connection, job_id, owner_id))

    async def list(
        self,
        owner_id: int,
        *,
        kind: str | None = None,
        state: str | None = None,
        text: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> JobPage:
        """List an owner's jobs, newest first.

        Args:
            owner_id: The owner.
            kind: Only this kind.
            state: Only this state.
            text: Only those with this text, whatever its case, in a string of their params, at any depth.
            limit: Jobs per page, 1 to 200.
            cursor: ``next_cursor`` of the page before; None for the first page.

        Raises:
            ValueError: The cursor, the state or the limit is not one.
        """
        if not 1 <= limit <= _LONGEST_PAGE:
            raise ValueError(f"limit must be from 1 to {_LONGEST_PAGE}")
        if state is not None and state not in get_args(JobState):
            raise ValueError(f"state must be one of {', '.join(get_args(JobState))}")
        created_at, last_id = _read_cursor(cursor) if cursor is not None else (None, None)
        async with self._database.connection() as connection:
            found = await connection.execute(
                """
                SELECT * FROM jobs
                WHERE owner_id = %(owner_id)s
                  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                  AND (%(state)s::text IS NULL OR state = %(state)s)
                  AND (%(pattern)s::text IS NULL OR EXISTS (
                       SELECT FROM jsonb_path_query(params, 'strict $.** ? (@.type() == "string")') AS said
                       WHERE said #>> '{}' ILIKE %(pattern)s))
                  AND (%(created_at)s::timestamptz IS NULL
                       OR (created_at, id) < (%(created_at)s::timestamptz, %(last_id)s::uuid))
                ORDER BY created_at DESC, id DESC
                LIMIT %(limit)s
                """,
                {
                    "owner_id": owner_id,
                    "kind": kind,
                    "state": state,
                    "pattern": None if text is None else _containing(text),
                    "created_at": created_at,
                    "last_id": last_id,
                    "limit": limit + 1,
                },
            )
            rows = await found.fetchall()
        jobs = [job_of(row) for row in rows[:limit]]
        return JobPage(jobs=jobs, next_cursor=_write_cursor(jobs[-1]) if len(rows) > limit else None)

    async def cancel(self, job_id: UUID, owner_id: int) -> Job:
        """Cancel a queued or running job at once; an ended one stays as it is.

        Its worker's later writes are refused, and the worker is told to stop.

        Raises:
            JobNotFound: The owner has no such job.
        """

        async def once() -> Job:
            async with self._database.connection() as connection:
                await _row(connection, job_id, owner_id)
                await cancel(connection, job_id, self._clock())
                return job_of(await _row(connection, job_id, owner_id))

        return await self._database.retry(once, for_seconds=_SUBMIT_RETRY_SECONDS)

    async def retry(self, job_id: UUID, owner_id: int, *, max_queued: int | None = None) -> Job:
        """Queue a failed or cancelled job again: the same job, whose attempts are counted anew.

        After an outage it is unknown whether that was done; the job tells.

        Args:
            job_id: The job.
            owner_id: Whose it is.
            max_queued: The owner's limit of waiting jobs of its kind; None for no limit.

        Raises:
            JobNotFound: The owner has no such job.
            NotRetryable: It has neither failed nor been cancelled; of two who retry at once, one is told so.
            QueueFull: The owner has too many jobs waiting.
        """
        async with self._database.connection() as connection:
            await _lock_queue(connection, owner_id)
            row = await _row(connection, job_id, owner_id)
            if row["state"] not in RETRYABLE:
                raise NotRetryable(row["state"])
            if max_queued is not None:
                await _check_queue(connection, owner_id, row["kind"], max_queued)
            requeued = await requeue(connection, job_id, self._clock())
            if requeued is None:  # erased at the same moment
                raise JobNotFound(job_id)
            return job_of(requeued)

    async def inputs(self) -> frozenset[str]:
        """Return the keys of the objects that jobs of any state read."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT DISTINCT input_key FROM jobs WHERE input_key IS NOT NULL")
            return frozenset([row["input_key"] for row in await cursor.fetchall()])

    async def erase(self, job_id: UUID, owner_id: int) -> _Keys:
        """Delete a job and its events, cancelling it first where needed.

        Returns:
            Keys of the objects that belonged to it, for the caller to delete; one that ends in ``/`` is a prefix. An
            input that another job reads too is not among them.

        Raises:
            JobNotFound: The owner has no such job.
        """
        async with self._database.connection() as connection:
            await _row(connection, job_id, owner_id)
            return await erase(connection, [job_id], self._clock())

    async def set_labels(self, job_id: UUID, owner_id: int, labels: dict[str, str]) -> Job:
        """Replace a job's labels.

        Raises:
            JobNotFound: The owner has no such job.
            ValueError: The labels can't be stored.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "UPDATE jobs SET labels = %s WHERE id = %s AND owner_id = %s RETURNING *",
                [jsonb(labels), job_id, owner_id],
            )
            row = await cursor.fetchone()
        if row is None:
            raise JobNotFound(job_id)
        return job_of(row)

    async def queued(self) -> int:
        """Return the number of waiting jobs of all owners."""
        async with self._database.connection() as connection:
            cursor = await connection.execute("SELECT count(*) AS queued FROM jobs WHERE state = 'queued'")
            (row,) = await cursor.fetchall()
        return int(row["queued"])

    async def queue_position(self, job: Job) -> int | None:
        """Return a queued job's place among those of its kind, from 1; None when it isn't queued."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                """
                SELECT count(*) AS position
                FROM jobs AS mine
                JOIN jobs AS other ON other.state = 'queued' AND other.kind = mine.kind
                                  AND (other.due_at, other.id) <= (mine.due_at, mine.id)
                WHERE mine.id = %s AND mine.state = 'queued'
                GROUP BY mine.id
                """,
                [job.id],
            )
            row = await cursor.fetchone()
        return None if row is None else int(row["position"])

    async def events(self, job_id: UUID, owner_id: int, after: int = 0, limit: int = _MOST_EVENTS) -> _Events:
        """Return a job's events with ids above ``after``, in order.

        Raises:
            JobNotFound: The owner has no such job.
        """
        async with self._database.connection() as connection:
            await _row(connection, job_id, owner_id)
            return await _events(connection, job_id, after, limit)

    async def follow(self, job_id: UUID, owner_id: int, after: int = 0) -> AsyncIterator[JobEvent]:
        """Yield a job's events with ids above ``after``: the present ones, then new ones as they come.

        It ends after the terminal event, and when the job is erased. Restarts of the database are survived.

        Raises:
            JobNotFound: The owner has no such job.
            DatabaseUnavailable: An outage lasted for minutes.
        """
        with self._hub.waiter(job_id) as news:
            known = False
            while True:
                news.clear()
                try:
                    ended, events = await self._database.retry(
                        partial(self._read_new, job_id, owner_id, after), for_seconds=_FOLLOW_RETRY_SECONDS
                    )
                except JobNotFound:
                    if known:
                        return
                    raise
                known = True
                for event in events:
                    yield event
                    after = event.id
                if ended and len(events) < _MOST_EVENTS:
                    return
                if len(events) < _MOST_EVENTS:
                    # Not wait_for: before Python 3.12 it drops a cancellation that comes together with the news.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await news.wait()

    async def _read_new(self, job_id: UUID, owner_id: int, after: int) -> tuple[bool, _Events]:
        async with self._database.connection() as connection:
            # The state is read first: once it is final, the events read after it are all there will be.
            row = await _row(connection, job_id, owner_id)
            return row["state"] in ENDED, await _events(connection, job_id, after, _MOST_EVENTS)

    async def expire(self, now: datetime) -> _Keys:
        """Delete the jobs whose retention is over.

        Returns:
            Keys of the objects that belonged to them, for the caller to delete; one that ends in ``/`` is a prefix.
        """
        keys: _Keys = []
        while True:
            async with self._database.connection() as connection:
                cursor = await connection.execute(
                    "SELECT id FROM jobs WHERE expires_at <= %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
                    [now, _EXPIRY_BATCH],
                )
                ids = [row["id"] for row in await cursor.fetchall()]
                keys += await erase(connection, ids, now)
            if len(ids) < _EXPIRY_BATCH:
                break
        return keys

    async def backlog(self, *, kinds: Collection[str], unknown_cost: float = 0.0) -> Backlog:
        """Return the work of these kinds that is not done yet; a job without a cost counts as ``unknown_cost``."""
        async with self._database.connection() as connection:
            return await backlog(connection, kinds, unknown_cost)

    async def statistics(self) -> JobStatistics:
        """Return the present counts and costs of the queue, and the totals since the beginning."""
        async with self._database.connection() as connection:
            return await statistics(connection, self._clock())


async def _row(connection: Connection, job_id: UUID, owner_id: int) -> Row:
    cursor = await connection.execute("SELECT * FROM jobs WHERE id = %s AND owner_id = %s", [job_id, owner_id])
    row = await cursor.fetchone()
    if row is None:
        raise JobNotFound(job_id)
    return row


async def _lock_queue(connection: Connection, owner_id: int) -> None:
    """Make the owner's submissions wait for each other, so that the count of waiting jobs is exact."""
    await connection.execute("SELECT 1 FROM users WHERE id = %s FOR NO KEY UPDATE", [owner_id])


async def _check_queue(connection: Connection, owner_id: int, kind: str, max_queued: int) -> None:
    cursor = await connection.execute(
        "SELECT count(*) AS queued FROM jobs WHERE owner_id = %s AND kind = %s AND state = 'queued'",
        [owner_id, kind],
    )
    row = await cursor.fetchone()
    queued = int(row["queued"]) if row else 0
    if queued >= max_queued:
        raise QueueFull(queued, await seconds_until_place(connection, owner_id, kind))


async def _events(connection: Connection, job_id: UUID, after: int, limit: int) -> list[JobEvent]:
    cursor = await connection.execute(
        "SELECT * FROM job_events WHERE job_id = %s AND id > %s ORDER BY id LIMIT %s", [job_id, after, limit]
    )
    return [event_of(row) for row in await cursor.fetchall()]


def _containing(text: str) -> str:
    """Return the LIKE pattern of texts that contain the text."""
    return "%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"


def _fingerprint(kind: str, params: JSONObject) -> str:
    return hashlib.sha256(json.dumps([kind, params], sort_keys=True).encode()).hexdigest()


def _write_cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        created_at, _, job_id = text.rpartition(" ")
        return datetime.fromisoformat(created_at), UUID(job_id)
    except ValueError:
        raise ValueError("the cursor is not one that a list of jobs returned") from None
