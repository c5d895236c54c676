"""Every change of a job's state, each with the event that reports it, within a transaction of the caller's.

::

    insert_job ──> queued ──claim──> running ──end_attempt──> succeeded, failed
                     ^ ^                │                        │
                     │ └──end_attempt───┘                        │
                     └────────────requeue── failed, cancelled <──┘
    cancel: queued, running ──> cancelled         erase: any ──> no row

A claim raises the row's ``fence``. What an attempt writes names its fence, and is refused once the row has another
state or a higher fence. Triggers announce queued and cancelled jobs to the workers (``CHANNEL_QUEUED``,
``CHANNEL_CANCELLED``), whoever writes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from storage.database import Connection
from storage.jobs.errors import FenceLost
from storage.jobs.rows import Row, append_events, count_end, jsonb
from storage.jobs.types import JobFailure, JobResult, JSONObject

CHANNEL_QUEUED = "job_queued"
"""Notifications with the kind of a job that was queued."""

CHANNEL_CANCELLED = "job_cancelled"
"""Notifications with the id and the fence of a job that was cancelled, separated by a space."""

Event = tuple[str, JSONObject]
"""Type and data of an event that is not written yet."""


@dataclass(frozen=True)
class Ending:
    """The outcome of an attempt.

    Attributes:
        state: The row's next state; ``queued`` hands it to another attempt.
        event: The event that reports it.
        result: The handler's return value.
        error: The owner's description of a failure.
        delay: Seconds until the next attempt.
        counted: False when the attempt does not use up one of ``max_attempts``.
    """

    state: Literal["queued", "succeeded", "failed"]
    event: Event
    result: JobResult | None = None
    error: JSONObject | None = None
    delay: float = 0.0
    counted: bool = True

    @classmethod
    def succeeded(cls, result: JobResult) -> "Ending":
        """The handler returned."""
        return cls("succeeded", ("succeeded", {}), result=result)

    @classmethod
    def failed(cls, failure: JobFailure) -> "Ending":
        """Record a failure after which there is no other attempt."""
        return cls("failed", ("failed", {"error": failure.as_json()}), error=failure.as_json())

    @classmethod
    def retrying(cls, failure: JobFailure, attempt: int, delay: float) -> "Ending":
        """Record a failure after which there is another attempt, in ``delay`` seconds."""
        data = {"attempt": attempt, "delay": round(delay, 3), "error": failure.as_json()}
        return cls("queued", ("retrying", data), delay=delay)

    @classmethod
    def giving_back(cls) -> "Ending":
        """The worker stops, through no fault of the job."""
        return cls("queued", ("queued", {"reason": "worker_stopped"}), counted=False)


async def insert_job(connection: Connection, new: Row, at: datetime) -> Row | None:
    """Add a queued job.

    Args:
        connection: The transaction.
        new: The columns that the owner's submission determines.
        at: The time of acceptance.

    Returns:
        The new row; None when another job has its id or its idempotency key.
    """
    cursor = await connection.execute(
        """
        INSERT INTO jobs (id, owner_id, kind, state, params, input_key, correlation_id, idempotency_key,
                          fingerprint, max_attempts, time_limit, cost, retention, created_at, last_event)
        VALUES (%(id)s, %(owner_id)s, %(kind)s, 'queued', %(params)s, %(input_key)s, %(correlation_id)s,
                %(idempotency_key)s, %(fingerprint)s, %(max_attempts)s, %(time_limit)s, %(cost)s,
                %(retention)s, %(at)s, 1)
        ON CONFLICT DO NOTHING
        RETURNING *
        """,
        {**new, "at": at},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("queued", {})], at)
    return row


async def claim(connection: Connection, kinds: Sequence[str], claim_id: UUID, at: datetime) -> Row | None:
    """Begin an attempt at the job that has been due for longest.

    Args:
        connection: The transaction.
        kinds: The kinds of job to choose from.
        claim_id: Names this claim: repeating one whose answer was lost returns the same job.
        at: The start of the attempt.

    Returns:
        The row with its new fence; None when no job is due.
    """
    cursor = await connection.execute("SELECT * FROM jobs WHERE state = 'running' AND claimed_by = %s", [claim_id])
    row = await cursor.fetchone()
    if row is not None:
        return row
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = 'running', fence = fence + 1, attempt = attempt + 1, claimed_by = %(claim)s,
            started_at = %(at)s, heartbeat_at = clock_timestamp(), stage = NULL, progress = 0,
            last_event = last_event + 1
        WHERE id = (SELECT id FROM jobs
                    WHERE state = 'queued' AND due_at <= now() AND kind = ANY(%(kinds)s)
                    ORDER BY due_at, id LIMIT 1
                    FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING *
        """,
        {"claim": claim_id, "at": at, "kinds": list(kinds)},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("started", {"attempt": row["attempt"]})], at)
    return row


async def write_events(
    connection: Connection, job_id: UUID, fence: int, first: int, events: Sequence[Event], at: datetime
) -> None:
    """Append events to a running job, and take its stage and progress from the last ``progress`` event.

    Only the attempt with the row's fence appends to a running job, so its events have numbers beforehand: those that an
    earlier call has written, whose answer was lost, are not written again.

    Args:
        connection: The transaction.
        job_id: The job.
        fence: The attempt's fence.
        first: The number of the first of the events.
        events: Events in order, without gaps.
        at: The time of the events.

    Raises:
        FenceLost: The job isn't this attempt's any more; nothing was written.
    """
    row = await _locked(connection, job_id)
    if row is None or row["fence"] != fence or row["state"] != "running":
        raise FenceLost(job_id, fence)
    events = events[row["last_event"] + 1 - first :]
    progress: JSONObject = next((data for type, data in reversed(events) if type == "progress"), {})
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET last_event = last_event + %(events)s,
            stage = coalesce(%(stage)s, stage), progress = coalesce(%(progress)s, progress)
        WHERE id = %(id)s
        RETURNING *
        """,
        {
            "id": job_id,
            "events": len(events),
            "stage": progress.get("stage"),
            "progress": progress.get("progress"),
        },
    )
    (row,) = await cursor.fetchall()
    await append_events(connection, row, events, at)


async def end_attempt(
    connection: Connection, job_id: UUID, fence: int, first: int, earlier: Sequence[Event], ending: Ending, at: datetime
) -> None:
    """End a running job's attempt: the job has an end, or is queued for another attempt.

    Args:
        connection: The transaction.
        job_id: The job.
        fence: The attempt's fence.
        first: The number of the first event of ``earlier`` and the ending.
        earlier: Events of the attempt that have not been written yet, as far as is known.
        ending: The outcome; repeating it, since the answer was lost, changes nothing.
        at: The time of the end.

    Raises:
        FenceLost: The job isn't this attempt's any more; nothing was written.
        ValueError: The result can't be stored as JSON; the transaction must be rolled back.
    """
    events = [*earlier, ending.event]
    row = await _locked(connection, job_id)
    after = {"fence": fence, "state": ending.state, "last_event": first + len(events) - 1}
    if row is not None and after.items() <= row.items():
        return
    await write_events(connection, job_id, fence, first, events, at)
    if ending.state == "queued":
        await connection.execute(
            """
            UPDATE jobs
            SET state = 'queued', due_at = now() + make_interval(secs => %(delay)s), attempt = attempt - %(uncounted)s,
                stage = NULL, progress = 0, heartbeat_at = NULL, claimed_by = NULL
            WHERE id = %(id)s
            """,
            {"id": job_id, "delay": ending.delay, "uncounted": int(not ending.counted)},
        )
        return
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = %(state)s, result = %(result)s, timings = %(timings)s, error = %(error)s,
            progress = CASE WHEN %(state)s = 'succeeded' THEN 1 ELSE progress END,
            finished_at = %(at)s, expires_at = %(at)s + retention, heartbeat_at = NULL, claimed_by = NULL
        WHERE id = %(id)s
        RETURNING *
        """,
        {
            "id": job_id,
            "state": ending.state,
            "result": None if ending.result is None else jsonb(ending.result.result),
            "timings": None if ending.result is None else jsonb(ending.result.timings),
            "error": None if ending.error is None else jsonb(ending.error),
            "at": at,
        },
    )
    (row,) = await cursor.fetchall()
    await count_end(connection, row)


async def _locked(connection: Connection, job_id: UUID) -> Row | None:
    """Lock a job's row, which waits for a transaction whose answer was lost and which is still being committed."""
    cursor = await connection.execute("SELECT * FROM jobs WHERE id = %s FOR NO KEY UPDATE", [job_id])
    return await cursor.fetchone()


async def cancel(connection: Connection, job_id: UUID, at: datetime) -> None:
    """End a queued or running job at once; a job that has ended, or doesn't exist, stays as it is."""
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = 'cancelled', finished_at = %(at)s, expires_at = %(at)s + retention,
            heartbeat_at = NULL, claimed_by = NULL, last_event = last_event + 1
        WHERE id = %(id)s AND state IN ('queued', 'running')
        RETURNING *
        """,
        {"id": job_id, "at": at},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("cancelled", {})], at)
        await count_end(connection, row)


async def requeue(connection: Connection, job_id: UUID, at: datetime) -> Row | None:
    """Queue a failed or cancelled job again, as if it had just been submitted; its history goes on.

    Returns:
        The row; None when the job is in another state or doesn't exist.
    """
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = 'queued', due_at = now(), attempt = 0, stage = NULL, progress = 0, result = NULL, error = NULL,
            timings = NULL, started_at = NULL, finished_at = NULL, expires_at = NULL, last_event = last_event + 1
        WHERE id = %(id)s AND state IN ('failed', 'cancelled')
        RETURNING *
        """,
        {"id": job_id},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("queued", {"reason": "retried"})], at)
    return row


def object_prefix(job_id: UUID) -> str:
    """Return the folder of the object store for everything that a job writes."""
    return f"jobs/{job_id}/"


async def erase(connection: Connection, ids: Sequence[UUID], at: datetime) -> list[str]:
    """Delete jobs and their events; those that haven't ended are cancelled first.

    Returns:
        Keys of objects that nothing refers to any more; a key that ends in ``/`` is a prefix.
    """
    ordered = sorted(ids)  # the same order of locking for everybody
    for job_id in ordered:
        await cancel(connection, job_id, at)
    cursor = await connection.execute("DELETE FROM jobs WHERE id = ANY(%s) RETURNING id, input_key", [ordered])
    rows = await cursor.fetchall()
    cursor = await connection.execute(
        """
        SELECT DISTINCT key FROM unnest(%s::text[]) AS key
        WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.input_key = key)
        """,
        [[row["input_key"] for row in rows if row["input_key"] is not None]],
    )
    inputs = [row["key"] for row in await cursor.fetchall()]
    return [*inputs, *(object_prefix(row["id"]) for row in rows)]
