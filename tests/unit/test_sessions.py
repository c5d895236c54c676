"""Sessions: whose they are, how long they last, and one reply at a time."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from storage.database import Database
from storage.sessions import LEASE_SECONDS, AssistantCounters, SessionBusy, SessionNotFound, Sessions, TooManySessions
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 9, 12, 5, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(database: Database, clock: Clock) -> Sessions:
    return Sessions(database, ttl_seconds=1800, clock=clock)


async def owner(database: Database, name: str = "ann") -> int:
    return (await Users(database).create(name)).id


async def say(sessions: Sessions, owner_id: int, session_id: str, text: str, reply: str = "well") -> None:
    turn = await sessions.begin(owner_id, session_id)
    await sessions.finish(turn, text, reply, interrupted=False)


async def test_ids_look_as_goloss_clients_know_them(database: Database, sessions: Sessions) -> None:
    session = await sessions.create(await owner(database), language="ru", voice="ru-boris")
    assert re.fullmatch(r"20260309120507-[a-z0-9]{8}", session.id)
    assert (session.language, session.voice) == ("ru", "ru-boris")


async def test_what_was_said_is_kept_in_its_order(database: Database, sessions: Sessions) -> None:
    ann = await owner(database)
    session = await sessions.create(ann)
    await say(sessions, ann, session.id, "one", "two")
    turn = await sessions.begin(ann, session.id)
    await sessions.finish(turn, "three", "fo", interrupted=True)
    kept = await sessions.messages(ann, session.id)
    assert [(message.n, message.role, message.content, message.interrupted) for message in kept] == [
        (1, "user", "one", False),
        (2, "assistant", "two", False),
        (3, "user", "three", False),
        (4, "assistant", "fo", True),
    ]
    assert [message.n for message in await sessions.messages(ann, session.id, last=3)] == [2, 3, 4]
    assert await sessions.messages(ann, session.id, last=0) == []


async def test_only_the_newest_messages_are_kept(database: Database, clock: Clock) -> None:
    sessions, ann = Sessions(database, max_messages=4, clock=clock), await owner(database)
    session = await sessions.create(ann)
    for text in ("one", "two", "three"):
        await say(sessions, ann, session.id, text)
    assert [message.n for message in await sessions.messages(ann, session.id)] == [3, 4, 5, 6]


async def test_another_owner_finds_nothing(database: Database, sessions: Sessions) -> None:
    ann, bob = await owner(database), await owner(database, "bob")
    session = await sessions.create(ann)
    for attempt in (
        sessions.get(bob, session.id),
        sessions.messages(bob, session.id),
        sessions.begin(bob, session.id),
    ):
        with pytest.raises(SessionNotFound):
            await attempt
    assert not await sessions.delete(bob, session.id)
    assert await sessions.of_owner(bob) == []
    assert [other.id for other in await sessions.of_owner(ann)] == [session.id]


@pytest.mark.parametrize("session_id", ["", "nonsense", "20260309120507-ABCDEFGH", "x" * 1000, "\x00"])
async def test_an_id_of_another_shape_is_not_found(database: Database, sessions: Sessions, session_id: str) -> None:
    ann = await owner(database)
    with pytest.raises(SessionNotFound):
        await sessions.get(ann, session_id)
    assert not await sessions.delete(ann, session_id)


async def test_a_session_ends_half_an_hour_after_its_last_message(
    database: Database, sessions: Sessions, clock: Clock
) -> None:
    ann = await owner(database)
    session = await sessions.create(ann)
    clock.forward(1799)
    await say(sessions, ann, session.id, "still here")
    clock.forward(1799)
    assert await sessions.expire() == 0
    assert await sessions.active() == 1
    clock.forward(2)
    with pytest.raises(SessionNotFound):
        await sessions.get(ann, session.id)
    assert not await sessions.delete(ann, session.id)
    assert (await sessions.of_owner(ann), await sessions.active()) == ([], 0)
    assert await sessions.expire() == 1


async def test_one_reply_is_given_at_a_time(database: Database, sessions: Sessions) -> None:
    ann = await owner(database)
    session, other = await sessions.create(ann), await sessions.create(ann)
    turn = await sessions.begin(ann, session.id)
    with pytest.raises(SessionBusy):
        await sessions.begin(ann, session.id)
    await sessions.begin(ann, other.id)
    await sessions.finish(turn, "one", "two", interrupted=False)
    await sessions.begin(ann, session.id)


async def test_of_many_who_begin_at_once_one_succeeds(database: Database, sessions: Sessions) -> None:
    ann = await owner(database)
    session = await sessions.create(ann)
    begun = await asyncio.gather(*(sessions.begin(ann, session.id) for _ in range(6)), return_exceptions=True)
    assert sum(not isinstance(turn, BaseException) for turn in begun) == 1
    assert sum(isinstance(turn, SessionBusy) for turn in begun) == 5


async def test_the_turn_of_a_dead_process_is_taken_over_and_keeps_nothing(
    database: Database, sessions: Sessions, clock: Clock
) -> None:
    ann = await owner(database)
    session = await sessions.create(ann)
    dead = await sessions.begin(ann, session.id)
    clock.forward(LEASE_SECONDS - 1)
    await sessions.renew(dead)
    clock.forward(LEASE_SECONDS - 1)
    with pytest.raises(SessionBusy):
        await sessions.begin(ann, session.id)
    clock.forward(2)
    alive = await sessions.begin(ann, session.id)
    await sessions.finish(dead, "lost", "lost", interrupted=True)
    await sessions.renew(dead)
    with pytest.raises(SessionBusy):
        await sessions.begin(ann, session.id)
    await sessions.finish(alive, "kept", "kept", interrupted=False)
    assert {message.content for message in await sessions.messages(ann, session.id)} == {"kept"}


async def test_an_owners_sessions_and_replies_are_bounded(database: Database, clock: Clock) -> None:
    sessions = Sessions(database, ttl_seconds=60, max_per_owner=2, max_replies_per_owner=1, clock=clock)
    ann, bob = await owner(database), await owner(database, "bob")
    first = await sessions.create(ann)
    clock.forward(10)
    second = await sessions.create(ann)
    with pytest.raises(TooManySessions) as raised:
        await sessions.create(ann)
    assert raised.value.retry_after == 50
    await sessions.create(bob)
    await sessions.begin(ann, first.id)
    with pytest.raises(TooManySessions):
        await sessions.begin(ann, second.id)
    assert await sessions.delete(ann, first.id)
    await sessions.create(ann)


async def test_a_deleted_owner_leaves_no_conversation(database: Database, sessions: Sessions) -> None:
    ann = await owner(database)
    session = await sessions.create(ann)
    await say(sessions, ann, session.id, "one")
    await Users(database).delete(ann)
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM messages) n")
        assert await cursor.fetchall() == [{"n": 0}]


async def test_counters_add_up_over_replicas(database: Database, clock: Clock) -> None:
    one, other = AssistantCounters(database, clock=clock), AssistantCounters(database, clock=clock)
    assert await one.read() == ({}, None)
    began = clock.now
    await one.add({"total", "stt"})
    clock.forward(60)
    await asyncio.gather(other.add({"total", "stt"}), one.add({"stt", "total"}), other.add({"total"}))
    assert await other.read() == ({"total": 4, "stt": 3}, began)
