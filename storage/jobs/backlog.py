"""Statistics of the queue: the waiting work, the estimated wait, and the totals."""

import math
from collections.abc import Collection
from datetime import datetime
from typing import Any

from storage.database import Connection
from storage.jobs.types import Backlog, JobStatistics, Total

# Without any history, a guess.
_UNKNOWN_DURATION_SECONDS = 30.0
_RECENT_JOBS = 50
_LONGEST_WAIT_SECONDS = 3600


async def seconds_until_place(connection: Connection, owner_id: int, kind: str) -> int:
    """Estimate the time until the owner's first waiting job of a kind leaves the queue.

    The jobs before it leave one by one, each after the mean duration of recent jobs over the number running now.

    Returns:
        Whole seconds, 1 to 3600.
    """
    cursor = await connection.execute(
        """
        SELECT
            (SELECT avg(extract(epoch FROM finished_at - started_at))
             FROM (SELECT started_at, finished_at FROM jobs
                   WHERE kind = %(kind)s AND finished_at IS NOT NULL AND started_at IS NOT NULL
                   ORDER BY finished_at DESC LIMIT %(recent)s) AS recent) AS duration,
            (SELECT count(*) FROM jobs WHERE kind = %(kind)s AND state = 'running') AS running,
            (SELECT count(*) FROM jobs
             WHERE kind = %(kind)s AND state = 'queued'
               AND due_at <= (SELECT min(due_at) FROM jobs
                              WHERE kind = %(kind)s AND state = 'queued' AND owner_id = %(owner_id)s)) AS rank
        """,
        {"kind": kind, "owner_id": owner_id, "recent": _RECENT_JOBS},
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an aggregate returned no row")
    duration = _UNKNOWN_DURATION_SECONDS if row["duration"] is None else float(row["duration"])
    wait: float = max(1, row["rank"]) * duration / max(1, row["running"])
    return min(_LONGEST_WAIT_SECONDS, max(1, math.ceil(wait)))


async def backlog(connection: Connection, kinds: Collection[str], unknown_cost: float) -> Backlog:
    """Sum up the work that is not done yet; reads only the index entries and rows of active jobs.

    Args:
        connection: To the database.
        kinds: Kinds of job that count.
        unknown_cost: The cost assumed for a job that has none.
    """
    cursor = await connection.execute(
        """
        SELECT count(*) FILTER (WHERE state = 'queued') AS queued,
               count(*) FILTER (WHERE state = 'running') AS running,
               coalesce(sum(CASE WHEN cost > 0 THEN cost ELSE %(unknown)s END
                            * CASE WHEN state = 'running' THEN greatest(0.0, 1.0 - progress) ELSE 1.0 END), 0.0) AS cost
        FROM jobs WHERE state IN ('queued', 'running') AND kind = ANY(%(kinds)s)
        """,
        {"unknown": unknown_cost, "kinds": list(kinds)},
    )
    row = await cursor.fetchone()
    if row is None:
        raise RuntimeError("an aggregate returned no row")
    return Backlog(queued=row["queued"], running=row["running"], cost=float(row["cost"]))


async def statistics(connection: Connection, now: datetime) -> JobStatistics:
    """Count the present rows and read the totals."""
    cursor = await connection.execute(
        """
        SELECT kind, state, count(*) AS count, sum(cost) AS cost, min(created_at) AS oldest
        FROM jobs GROUP BY kind, state
        """
    )
    groups = await cursor.fetchall()
    cursor = await connection.execute("SELECT * FROM job_totals")
    totals = await cursor.fetchall()

    def totals_of(measure: str) -> dict[tuple[str, Any], Total]:
        return {
            (row["kind"], row["label"]): Total(seconds=row["seconds"], count=row["count"])
            for row in totals
            if row["measure"] == measure
        }

    return JobStatistics(
        counts={(row["kind"], row["state"]): row["count"] for row in groups},
        queued_cost={row["kind"]: row["cost"] for row in groups if row["state"] == "queued"},
        running_cost={row["kind"]: row["cost"] for row in groups if row["state"] == "running"},
        oldest_queued_seconds={
            row["kind"]: max(0.0, (now - row["oldest"]).total_seconds()) for row in groups if row["state"] == "queued"
        },
        ended=totals_of("ended"),
        stages=totals_of("stage"),
    )
