"""The rows of jobs and of their events."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from storage.database import Connection
from storage.jobs.types import Job, JobEvent, JSONObject

# An escaped NUL whose backslash is not itself escaped.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_JOB_FIELDS = tuple(Job.__dataclass_fields__)

Row = dict[str, Any]


def job_of(row: Row) -> Job:
    """Return the job that a row of ``jobs`` holds."""
    return Job(**{name: row[name] for name in _JOB_FIELDS})


def event_of(row: Row) -> JobEvent:
    """Return the event that a row of ``job_events`` holds."""
    return JobEvent(id=row["id"], type=row["type"], data=row["data"], at=row["at"])


def jsonb(value: object) -> Jsonb:
    """Return a value for a ``jsonb`` column.

    Raises:
        ValueError: PostgreSQL's JSON can't hold it: it isn't JSON, or has a NaN, an infinity, a NUL character or half
            of a surrogate pair.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"not storable as JSON: {error}") from error
    if _NUL.search(text):
        raise ValueError("not storable as JSON: it has a NUL character")
    return Jsonb(value, dumps=lambda _: text)


async def append_events(
    connection: Connection, row: Row, events: Sequence[tuple[str, JSONObject]], at: datetime
) -> None:
    """Write the events that ``row.last_event`` already counts.

    The caller has raised ``last_event`` by their number in this transaction, and so holds the row's lock: events of a
    job become visible in the order of their ids.
    """
    first = row["last_event"] - len(events) + 1
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO job_events (job_id, id, type, data, at) VALUES (%s, %s, %s, %s, %s)",
            [(row["id"], first + index, kind, jsonb(data), at) for index, (kind, data) in enumerate(events)],
        )


async def count_end(connection: Connection, row: Row) -> None:
    """Add an ended job to the totals."""
    seconds = (row["finished_at"] - row["started_at"]).total_seconds() if row["started_at"] else 0.0
    totals = [("ended", row["state"], seconds)]
    totals += [("stage", stage, float(spent)) for stage, spent in sorted((row["timings"] or {}).items())]
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO job_totals AS total (kind, measure, label, seconds, count) VALUES (%s, %s, %s, %s, 1)
            ON CONFLICT (kind, measure, label)
            DO UPDATE SET seconds = total.seconds + EXCLUDED.seconds, count = total.count + 1
            """,
            [(row["kind"], measure, label, spent) for measure, label, spent in totals],
        )
