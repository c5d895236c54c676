"""Doing ended jobs over, within a transaction of the caller's."""

from datetime import datetime
from uuid import UUID

from storage.database import Connection
from storage.jobs.queue import DeliveryQueue
from storage.jobs.rows import Row, append_events, set_token


async def requeue_job(connection: Connection, queue: DeliveryQueue, job_id: UUID, now: datetime) -> Row | None:
    """Queues a failed or cancelled job again, as if it had just been submitted; its history goes on.

    The fence rises, so that an attempt which has not noticed yet that it was cancelled can't take the job for its own.

    Returns:
        The row; None when the job is in another state or doesn't exist.
    """
    cursor = await connection.execute(
        """
        UPDATE jobs
        SET state = 'queued', fence = fence + 1, attempt = 0, stage = NULL, progress = 0, result = NULL, error = NULL,
            timings = NULL, started_at = NULL, finished_at = NULL, expires_at = NULL, last_event = last_event + 1
        WHERE id = %(id)s AND state IN ('failed', 'cancelled')
        RETURNING *
        """,
        {"id": job_id},
    )
    row = await cursor.fetchone()
    if row is not None:
        await append_events(connection, row, [("queued", {"reason": "retried"})], now)
        await set_token(connection, row["id"], await queue.put(connection, kind=row["kind"], job_id=row["id"]))
    return row
