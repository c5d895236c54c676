"""Links to media: secret, short-lived, and gone with their jobs."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from storage.database import Database
from storage.jobs import Job, JobNotFound, JobStore
from storage.media_links import MediaLinks
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

HOUR = timedelta(hours=1)
WHAT = {"object_key": "uploads/1/a", "media_type": "audio/wav", "filename": "talk.wav", "lifetime": HOUR}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def links(database: Database, clock: Clock) -> MediaLinks:
    return MediaLinks(database, clock=clock)


async def new_job(database: Database) -> Job:
    owner = (await Users(database).create("Ada")).id
    job, _ = await JobStore(database).submit(owner_id=owner, kind="demo", params={}, correlation_id="c")
    return job


async def tokens_in(database: Database) -> list[bytes]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT token_hash FROM media_links")
        return [row["token_hash"] for row in await cursor.fetchall()]


async def test_a_token_leads_to_its_object_for_an_hour(database: Database, links: MediaLinks, clock: Clock) -> None:
    token, link = await links.create((await new_job(database)).id, **WHAT)
    assert (link.object_key, link.media_type, link.filename) == ("uploads/1/a", "audio/wav", "talk.wav")
    assert link.expires_at == clock.now + HOUR
    clock.now += HOUR - timedelta(seconds=1)
    assert await links.find(token) == link
    clock.now += timedelta(seconds=1)
    assert await links.find(token) is None


async def test_tokens_are_random_and_only_their_hashes_are_kept(database: Database, links: MediaLinks) -> None:
    job = await new_job(database)
    tokens = [(await links.create(job.id, **WHAT))[0] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert all(len(token) >= 43 for token in tokens)  # 256 bits in base64
    kept = await tokens_in(database)
    assert len(kept) == 2
    assert all(len(stored) == 32 and token.encode() not in stored for stored in kept for token in tokens)
    assert await links.find(kept[0].hex()) is None


async def test_a_link_ends_with_its_job(database: Database, links: MediaLinks) -> None:
    job = await new_job(database)
    token, _ = await links.create(job.id, **WHAT)
    await JobStore(database).erase(job.id, job.owner_id)
    assert await links.find(token) is None
    assert await tokens_in(database) == []
    with pytest.raises(JobNotFound):
        await links.create(job.id, **WHAT)
    with pytest.raises(JobNotFound):
        await links.create(uuid4(), **WHAT)
