"""A database of the release that delivered jobs with procrastinate, while replicas of both releases use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from storage.clock import utc_now
from storage.database import Database, migrate
from storage.jobs import Attempt, Backoff, JobEvent, JobFailure, JobResult, JobStore, JobWorker
from storage.jobs.transitions import claim

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]

OWNER = 1
# Of procrastinate's schema as much as the previous release's statements on jobs touch.
PROCRASTINATE = """
CREATE TYPE procrastinate_job_status AS ENUM ('todo', 'doing', 'succeeded', 'failed', 'cancelled', 'aborted');
CREATE TABLE procrastinate_jobs (
    id bigserial PRIMARY KEY,
    queue_name varchar(128) NOT NULL,
    task_name varchar(128) NOT NULL,
    args jsonb NOT NULL,
    status procrastinate_job_status NOT NULL DEFAULT 'todo',
    scheduled_at timestamptz
);
"""


class PreviousRelease:
    """The statements on jobs of the release before revision 0006."""

    def __init__(self, connection: psycopg.Connection[DictRow]) -> None:
        self._connection = connection

    def submit(self) -> UUID:
        job_id = uuid4()
        self._connection.execute(
            """
            INSERT INTO jobs (id, owner_id, kind, state, params, input_key, correlation_id, idempotency_key,
                              fingerprint, max_attempts, time_limit, cost, retention, created_at, last_event)
            VALUES (%(id)s, %(owner)s, 'demo', 'queued', '{}', NULL, 'c-1', NULL, 'f', 3, 60, 0, '7 days', %(now)s, 1)
            """,
            {"id": job_id, "owner": OWNER, "now": utc_now()},
        )
        self._event(job_id, "queued")
        self._put(job_id, delay=None)
        self._connection.commit()
        return job_id

    def claim(self, job_id: UUID) -> DictRow | None:
        """Claim a job with its present token; the claim's row."""
        row = self._connection.execute(
            """
            UPDATE jobs
            SET state = 'running', fence = fence + 1, attempt = attempt + 1, claimed_by = %(claim)s,
                started_at = %(now)s, heartbeat_at = clock_timestamp(), stage = NULL, progress = 0,
                last_event = last_event + 1
            WHERE id = %(id)s AND token = (SELECT token FROM jobs WHERE id = %(id)s) AND state = 'queued'
            RETURNING *
            """,
            {"id": job_id, "claim": uuid4(), "now": utc_now()},
        ).fetchone()
        if row is not None:
            self._event(job_id, "started")
        self._connection.commit()
        return row

    def retry(self, job_id: UUID, fence: int, delay: timedelta) -> bool:
        """End an attempt with another one to follow; False when the fence is lost."""
        row = self._connection.execute(
            """
            UPDATE jobs
            SET state = 'queued', stage = NULL, progress = 0, heartbeat_at = NULL, claimed_by = NULL,
                last_event = last_event + 1
            WHERE id = %s AND fence = %s AND state = 'running' RETURNING id
            """,
            [job_id, fence],
        ).fetchone()
        if row is not None:
            self._event(job_id, "retrying")
            self._put(job_id, delay)
        self._connection.commit()
        return row is not None

    def _event(self, job_id: UUID, type: str) -> None:
        self._connection.execute(
            """
            INSERT INTO job_events (job_id, id, type, data, at)
            SELECT id, last_event, %s, '{}', %s FROM jobs WHERE id = %s
            """,
            [type, utc_now(), job_id],
        )

    def _put(self, job_id: UUID, delay: timedelta | None) -> None:
        self._connection.execute(
            """
            WITH put AS (
                INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
                VALUES ('demo', 'voicegraph.job', '{}', now() + %s::interval) RETURNING id
            )
            UPDATE jobs SET token = put.id FROM put WHERE jobs.id = %s
            """,
            [delay, job_id],
        )


@pytest.fixture
async def previous(empty_database_url: str) -> AsyncIterator[PreviousRelease]:
    """A database of the previous release, and that release's connection to it."""
    migrate(empty_database_url, revision="0005")
    with psycopg.connect(empty_database_url, row_factory=dict_row) as connection:
        connection.execute(PROCRASTINATE)
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Ada')", [OWNER])
        connection.commit()
        yield PreviousRelease(connection)


@pytest.fixture
async def database(empty_database_url: str) -> AsyncIterator[Database]:
    async with Database(empty_database_url) as database:
        yield database


@asynccontextmanager
async def working(database: Database, **options: Any) -> AsyncIterator[None]:
    async def work(attempt: Attempt) -> JobResult:
        return JobResult({"attempt": attempt.job.attempt})

    def classify(error: BaseException) -> JobFailure:
        return JobFailure("fault", repr(error), retryable=True)

    defaults = {"heartbeat": 0.1, "stalled_after": 0.5, "poll_interval": 0.1, "backoff": Backoff(base=0.0)}
    worker = JobWorker(database, {"demo": work}, classify=classify, **{**defaults, **options})
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        await worker.stop(0.0)
        await task


async def followed(database: Database, job_id: UUID) -> list[JobEvent]:
    store = JobStore(database)
    try:
        return [event async for event in store.follow(job_id, OWNER)]
    finally:
        await store.close()


def types(events: list[JobEvent]) -> list[str]:
    return [event.type for event in events]


async def due_in(database: Database, job_id: UUID) -> timedelta:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT due_at - now() AS wait FROM jobs WHERE id = %s", [job_id])
        (row,) = await cursor.fetchall()
    wait: timedelta = row["wait"]
    return wait


async def test_queued_running_and_retrying_jobs_survive_the_migration(
    previous: PreviousRelease, database: Database, empty_database_url: str
) -> None:
    queued, abandoned, due, later = (previous.submit() for _ in range(4))
    assert previous.claim(abandoned) is not None
    for job_id, delay in ((due, timedelta()), (later, timedelta(hours=1))):
        claimed = previous.claim(job_id)
        assert claimed is not None
        assert previous.retry(job_id, claimed["fence"], delay)
    migrate(empty_database_url)
    async with working(database):
        assert types(await followed(database, queued)) == ["queued", "started", "succeeded"]
        assert types(await followed(database, due)) == ["queued", "started", "retrying", "started", "succeeded"]
        events = await followed(database, abandoned)
    assert types(events) == ["queued", "started", "retrying", "started", "succeeded"]
    assert timedelta(minutes=50) < await due_in(database, later) <= timedelta(hours=1)
    store = JobStore(database)
    assert (await store.get(later, OWNER)).state == "queued"
    assert (await store.get(abandoned, OWNER)).result == {"attempt": 2}


async def test_a_new_worker_is_told_of_what_the_previous_release_submits_and_requeues(
    previous: PreviousRelease, database: Database, empty_database_url: str
) -> None:
    migrate(empty_database_url)
    async with working(database, poll_interval=3600.0):
        for _ in range(2):
            assert types(await followed(database, previous.submit())) == ["queued", "started", "succeeded"]
    requeued = previous.submit()
    claimed = previous.claim(requeued)
    assert claimed is not None
    async with working(database, poll_interval=3600.0, stalled_after=3600.0):
        assert previous.retry(requeued, claimed["fence"], timedelta())
        assert types(await followed(database, requeued)) == ["queued", "started", "retrying", "started", "succeeded"]


async def test_a_delay_that_the_previous_release_sets_is_kept(
    previous: PreviousRelease, database: Database, empty_database_url: str
) -> None:
    migrate(empty_database_url)
    job_id = previous.submit()
    claimed = previous.claim(job_id)
    assert claimed is not None
    assert previous.retry(job_id, claimed["fence"], timedelta(hours=1))
    assert timedelta(minutes=50) < await due_in(database, job_id) <= timedelta(hours=1)
    async with database.connection() as connection:
        assert await claim(connection, ["demo"], uuid4(), utc_now()) is None


async def test_a_job_is_never_claimed_by_both_releases(
    previous: PreviousRelease, database: Database, empty_database_url: str
) -> None:
    migrate(empty_database_url)
    first = previous.submit()
    assert previous.claim(first) is not None
    async with database.connection() as connection:
        assert await claim(connection, ["demo"], uuid4(), utc_now()) is None
    second = previous.submit()
    async with database.connection() as connection:
        row = await claim(connection, ["demo"], uuid4(), utc_now())
    assert row is not None
    assert row["id"] == second
    assert previous.claim(second) is None
    assert not previous.retry(second, row["fence"] - 1, timedelta())


async def test_a_new_database_has_nothing_of_the_previous_queue(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        names = connection.execute(
            """
            SELECT relname FROM pg_class WHERE relname LIKE 'procrastinate%'
            UNION ALL SELECT attname FROM pg_attribute WHERE attrelid = 'jobs'::regclass AND attname = 'token'
            UNION ALL SELECT proname FROM pg_proc WHERE proname = 'adopt_schedule'
            """
        ).fetchall()
    assert names == []
