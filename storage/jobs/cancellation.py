"""Cancelling and erasing jobs, within a transaction of the caller's."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from storage.database import Connection
from storage.jobs.queue import DeliveryQueue
from storage.jobs.rows import Row, append_events, count_end


def object_prefix(job_id: UUID) -> str:
    """The folder of the object store for everything that a job writes."""
    return f"jobs/{job_id}/"


async def cancel_job(connection: Connection, queue: DeliveryQueue, job_id: UUID, now: datetime) -> Row | None:
    """Ends a queued or running job at once; its worker's later writes find the fence shut.

    Returns:
        The cancelled row; None when the job had ended before or doesn't exist.
    """
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = 'cancelled', finished_at = %(now)s, expires_at = %(now)s + retention,
            heartbeat_at = NULL, claimed_by = NULL, last_event = last_event + 1
        WHERE id = %(id)s AND state IN ('queued', 'running')
        RETURNING *
        """,
        {"id": job_id, "now": now},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("cancelled", {})], now)
        await count_end(connection, row)
        if row["token"] is not None:
            await queue.revoke(connection, row["token"])
    return row


async def erase_jobs(connection: Connection, queue: DeliveryQueue, ids: Sequence[UUID], now: datetime) -> list[str]:
    """Removes jobs and their events; those that haven't ended are cancelled first.

    Returns:
        Keys of objects that nothing refers to any more; a key that ends in ``/`` is a prefix.
    """
    ordered = sorted(ids)  # the same order of locking for everybody
    for job_id in ordered:
        await cancel_job(connection, queue, job_id, now)
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
