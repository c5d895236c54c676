import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import Database
from storage.rate_limits import RateLimits

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


async def test_hits_beyond_the_limit_are_refused_until_the_next_window(database: Database) -> None:
    limits = RateLimits(database)
    decisions = [await limits.hit("a", 2, 60, NOON + timedelta(seconds=second)) for second in (0, 10, 20)]
    assert [decision.allowed for decision in decisions] == [True, True, False]
    assert [decision.remaining for decision in decisions] == [1, 0, 0]
    assert decisions[2].retry_after == 40
    assert (await limits.hit("a", 2, 60, NOON + timedelta(seconds=60))).allowed


async def test_buckets_are_counted_apart(database: Database) -> None:
    limits = RateLimits(database)
    assert (await limits.hit("a", 1, 60, NOON)).allowed
    assert (await limits.hit("b", 1, 60, NOON)).allowed
    assert not (await limits.hit("a", 1, 60, NOON)).allowed


async def test_a_limit_holds_over_all_replicas_at_once(database: Database) -> None:
    replicas = [RateLimits(database) for _ in range(4)]
    hits = [replica.hit("a", 5, 60, NOON) for replica in replicas for _ in range(3)]
    decisions = await asyncio.gather(*hits)
    assert sum(decision.allowed for decision in decisions) == 5


async def test_counters_of_past_windows_are_removed(database: Database) -> None:
    await RateLimits(database).hit("old", 1, 60, NOON)
    await RateLimits(database).hit("new", 1, 60, NOON + timedelta(minutes=5))
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT bucket FROM rate_limits")
        assert [row["bucket"] for row in await cursor.fetchall()] == ["new"]
