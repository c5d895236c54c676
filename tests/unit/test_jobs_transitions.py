"""Concurrent and repeated writes to one job's row, statement by statement."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from storage.clock import utc_now
from storage.database import Connection, Database, DatabaseUnavailable
from storage.jobs import Attempt, FenceLost, JobResult, JobStore
from storage.jobs.rows import Row
from storage.jobs.transitions import Ending, claim, end_attempt, write_events
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
async def owner(database: Database) -> int:
    return (await Users(database).create("Ada")).id


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


async def submit(store: JobStore, owner: int) -> UUID:
    job, _ = await store.submit(owner_id=owner, kind="demo", params={}, correlation_id="c-1")
    return job.id


async def claim_next(connection: Connection) -> Row | None:
    return await claim(connection, ["demo"], uuid4(), utc_now())


async def claimed(database: Database) -> Row:
    async with database.connection() as connection:
        row = await claim_next(connection)
    assert row is not None
    return row


async def story(store: JobStore, owner: int, job_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    events = await store.events(job_id, owner)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    return [(event.type, event.data) for event in events]


async def until_someone_waits_for_a_lock(database: Database) -> None:
    async with asyncio.timeout(10):
        while True:
            async with database.connection() as connection:
                cursor = await connection.execute(
                    "SELECT count(*) AS n FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
                if await cursor.fetchall() != [{"n": 0}]:
                    return
            await asyncio.sleep(0.01)


async def test_simultaneous_claims_get_different_jobs_without_waiting(
    store: JobStore, database: Database, owner: int
) -> None:
    jobs = [await submit(store, owner) for _ in range(2)]
    async with asyncio.timeout(10), database.connection() as first, database.connection() as second:
        rows = [await claim_next(first), await claim_next(second)]
        async with database.connection() as third:
            assert await claim_next(third) is None
    assert [row and row["id"] for row in rows] == jobs


async def test_jobs_are_claimed_in_the_order_of_their_submission(
    store: JobStore, database: Database, owner: int
) -> None:
    jobs = [await submit(store, owner) for _ in range(5)]
    assert [(await claimed(database))["id"] for _ in jobs] == jobs


async def test_a_claim_during_a_cancellation_waits_for_nobody(store: JobStore, database: Database, owner: int) -> None:
    job_id = await submit(store, owner)
    async with asyncio.timeout(10), database.connection() as connection:
        await connection.execute("UPDATE jobs SET state = 'cancelled' WHERE id = %s", [job_id])
        async with database.connection() as other:
            assert await claim_next(other) is None


@pytest.mark.parametrize("loss", ["cancelled", "retried", "erased"])
async def test_an_attempt_whose_job_its_owner_took_away_writes_nothing(
    store: JobStore, database: Database, owner: int, loss: str
) -> None:
    job_id = await submit(store, owner)
    row = await claimed(database)
    await store.cancel(job_id, owner)
    if loss == "retried":
        await store.retry(job_id, owner)
        assert (await claimed(database))["fence"] > row["fence"]
    if loss == "erased":
        await store.erase(job_id, owner)
        before = []
    else:
        before = await story(store, owner, job_id)
    for ending in (None, Ending.succeeded(JobResult({})), Ending.giving_back()):
        with pytest.raises(FenceLost):
            async with database.connection() as connection:
                first = row["last_event"] + 1
                if ending is None:
                    await write_events(connection, job_id, row["fence"], first, [("x", {})], utc_now())
                else:
                    await end_attempt(connection, job_id, row["fence"], first, [], ending, utc_now())
    if loss != "erased":
        assert await story(store, owner, job_id) == before


async def test_a_repeated_write_waits_for_the_one_that_is_still_being_committed(
    store: JobStore, database: Database, owner: int
) -> None:
    job_id = await submit(store, owner)
    row = await claimed(database)
    first = row["last_event"] + 1
    events = [("x", {"n": 1}), ("x", {"n": 2})]

    async def repeat() -> None:
        async with database.connection() as connection:
            await write_events(connection, job_id, row["fence"], first, events, utc_now())

    async with database.connection() as connection:
        await write_events(connection, job_id, row["fence"], first, events[:1], utc_now())
        repetition = asyncio.create_task(repeat())
        await until_someone_waits_for_a_lock(database)
    await repetition
    assert await story(store, owner, job_id) == [("queued", {}), ("started", {"attempt": 1}), *events]


async def test_progress_made_while_a_write_has_no_answer_is_not_lost(
    store: JobStore, database: Database, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of the unanswered write keep their numbers: a later step of the same stage replaces none of them."""
    job_id = await submit(store, owner)
    attempt = Attempt(database, await claimed(database), clock=utc_now, throttle=0.0)
    original = Database.connection

    @asynccontextmanager
    async def unanswered(self: Database) -> Any:
        async with original(self) as connection:
            yield connection
        raise DatabaseUnavailable("the connection broke after the commit")

    await attempt.progress("stage", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "connection", unanswered)
        with pytest.raises(DatabaseUnavailable):
            await attempt._write_events()
    await attempt.progress("stage", 0.2)
    await attempt.end(Ending.succeeded(JobResult({})), for_seconds=0.0)
    assert await story(store, owner, job_id) == [
        ("queued", {}),
        ("started", {"attempt": 1}),
        ("progress", {"stage": "stage", "progress": 0.1}),
        ("progress", {"stage": "stage", "progress": 0.2}),
        ("succeeded", {}),
    ]
