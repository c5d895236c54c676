"""Retention: what is erased, and what somebody still needs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graphs.common.retention import run_retention
from graphs.common.stores import Stores
from storage.database import Database
from storage.jobs import Job, JobStore
from storage.media_links import MediaLinks
from storage.objects import DirectorySettings, ObjectStore, build
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

RETENTION_DAYS = 7.0
LATER = datetime.now(UTC) + timedelta(days=2 * RETENTION_DAYS + 1)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    store = build(DirectorySettings(kind="directory", path=tmp_path))
    store.ensure()
    return store


@asynccontextmanager
async def cleaning(database: Database, objects: ObjectStore, now: Callable[[], datetime]) -> AsyncIterator[None]:
    jobs = JobStore(database)
    task = asyncio.create_task(run_retention(Stores(database, objects, jobs), now, RETENTION_DAYS))
    async with asyncio.timeout(20):
        yield
    task.cancel()
    await jobs.close()


async def new_job(database: Database, input_key: str | None = None) -> Job:
    owner = (await Users(database).create("Ada")).id
    job, _ = await JobStore(database).submit(
        owner_id=owner, kind="demo", params={}, correlation_id="c", input_key=input_key
    )
    return job


async def links_in(database: Database) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT count(*) AS n FROM media_links")
        (row,) = await cursor.fetchall()
    return int(row["n"])


async def test_links_that_have_expired_are_removed(database: Database, objects: ObjectStore) -> None:
    job = await new_job(database)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    links = MediaLinks(database, clock=lambda: now)
    for hours in (1, 2):
        token, link = await links.create(
            job.id, object_key="uploads/1/a", media_type="audio/wav", filename="a", lifetime=timedelta(hours=hours)
        )
    async with cleaning(database, objects, lambda: now + timedelta(hours=1)):
        async with asyncio.timeout(10):
            while await links_in(database) > 1:  # noqa: ASYNC110 - another task does it
                await asyncio.sleep(0.01)
    assert await links.find(token) == link


async def test_an_old_recording_stays_while_a_job_needs_it(database: Database, objects: ObjectStore) -> None:
    for name in ("needed", "orphan"):
        objects.put(f"uploads/1/{name}", b"1")
    await new_job(database, "uploads/1/needed")
    async with cleaning(database, objects, lambda: LATER):
        async with asyncio.timeout(10):
            while len(list(objects.list("uploads"))) > 1:  # noqa: ASYNC110 - another task does it
                await asyncio.sleep(0.01)
    assert [info.key for info in objects.list("uploads")] == ["uploads/1/needed"]
