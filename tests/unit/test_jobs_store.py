import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from storage.database import Database
from storage.jobs import (
    Backlog,
    IdempotencyConflict,
    Job,
    JobNotFound,
    JobStore,
    NotRetryable,
    OwnerNotFound,
    QueueFull,
    object_prefix,
)
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def without_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers must be woken: a lost notification leaves them waiting until the test fails."""
    monkeypatch.setattr("storage.jobs.store._POLL_SECONDS", 3600.0)


@pytest.fixture
async def store(database: Database, clock: Clock) -> AsyncIterator[JobStore]:
    store = JobStore(database, clock=clock, retention=timedelta(days=7))
    yield store
    await store.close()


@pytest.fixture
async def ada(database: Database) -> int:
    return (await Users(database).create("Ada")).id


@pytest.fixture
async def eve(database: Database) -> int:
    return (await Users(database).create("Eve")).id


async def submit(store: JobStore, owner: int, **details: Any) -> Job:
    job, created = await store.submit(
        **{"owner_id": owner, "kind": "demo", "params": {}, "correlation_id": "c-1", **details}
    )
    assert created
    return job


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute(f"SELECT count(*) AS n FROM {table}")
        (row,) = await cursor.fetchall()
    return int(row["n"])


async def end(database: Database, job: Job, state: str, seconds: float) -> None:
    """Puts a job into a final state, as if a worker had done it in so many seconds."""
    async with database.connection() as connection:
        await connection.execute(
            """
            UPDATE jobs SET state = %s, started_at = created_at, finished_at = created_at + %s,
                            expires_at = created_at + %s + retention
            WHERE id = %s
            """,
            [state, timedelta(seconds=seconds), timedelta(seconds=seconds), job.id],
        )


async def test_a_submitted_job_is_queued_with_everything_it_was_given(store: JobStore, ada: int) -> None:
    job, created = await store.submit(
        owner_id=ada,
        kind="transcription",
        params={"language": "ru", "names": ["Ян"]},
        input_key="uploads/1",
        correlation_id="c-9",
        idempotency_key="once",
        max_attempts=5,
        time_limit=12.5,
        cost=61.0,
    )
    assert created
    assert job == await store.get(job.id, ada)
    assert (job.state, job.attempt, job.progress, job.created_at) == ("queued", 0, 0.0, NOON)
    assert (job.kind, job.input_key, job.correlation_id) == ("transcription", "uploads/1", "c-9")
    assert (job.params, job.idempotency_key) == ({"language": "ru", "names": ["Ян"]}, "once")
    assert (job.max_attempts, job.time_limit, job.cost) == (5, 12.5, 61.0)
    assert [(event.id, event.type) for event in await store.events(job.id, ada)] == [(1, "queued")]


async def test_the_job_and_its_first_event_are_committed_together(database: Database, ada: int) -> None:
    store = JobStore(database)
    async with database.connection() as connection:
        await connection.execute(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE check_violation; END';
            CREATE TRIGGER refuse AFTER INSERT ON job_events EXECUTE FUNCTION refuse();
            """
        )
    with pytest.raises(Exception, match="check_violation"):
        await submit(store, ada)
    assert [await count(database, table) for table in ("jobs", "job_events")] == [0, 0]


async def test_the_same_idempotency_key_returns_the_first_job(store: JobStore, database: Database, ada: int) -> None:
    first = await submit(store, ada, idempotency_key="k", params={"a": 1, "b": 2}, input_key="uploads/1")
    second, created = await store.submit(
        owner_id=ada,
        kind="demo",
        params={"b": 2, "a": 1},
        input_key="uploads/2",
        correlation_id="c-2",
        idempotency_key="k",
    )
    assert not created
    assert second == first
    assert await count(database, "jobs") == 1


async def test_the_same_idempotency_key_for_another_submission_is_a_conflict(store: JobStore, ada: int) -> None:
    await submit(store, ada, idempotency_key="k", params={"a": 1})
    with pytest.raises(IdempotencyConflict):
        await submit(store, ada, idempotency_key="k", params={"a": 2})
    await submit(store, ada, idempotency_key="l", params={"a": 1}, fingerprint="x")
    with pytest.raises(IdempotencyConflict):
        await submit(store, ada, idempotency_key="l", params={"a": 1}, fingerprint="y")


async def test_idempotency_keys_are_each_owners_own(store: JobStore, ada: int, eve: int) -> None:
    first = await submit(store, ada, idempotency_key="k")
    second = await submit(store, eve, idempotency_key="k")
    assert first.id != second.id


async def test_simultaneous_submissions_with_one_key_make_one_job(
    store: JobStore, database: Database, ada: int
) -> None:
    submissions = [
        store.submit(owner_id=ada, kind="demo", params={}, correlation_id=f"c-{n}", idempotency_key="k")
        for n in range(6)
    ]
    results = await asyncio.gather(*submissions)
    assert len({job.id for job, _ in results}) == 1
    assert sum(created for _, created in results) == 1
    assert await count(database, "jobs") == 1


async def test_submitting_one_id_twice_makes_one_job(store: JobStore, database: Database, ada: int) -> None:
    job_id = uuid4()
    first = await submit(store, ada, job_id=job_id)
    assert await submit(store, ada, job_id=job_id) == first
    assert await count(database, "jobs") == 1


async def test_a_job_of_nobody_is_refused(store: JobStore) -> None:
    with pytest.raises(OwnerNotFound):
        await submit(store, 12345)


@pytest.mark.parametrize("params", [{"x": float("nan")}, {"x": "\x00"}, {"\x00": 1}, {"x": "\ud800"}, {"x": b"bytes"}])
async def test_params_that_no_json_column_holds_are_refused(store: JobStore, ada: int, params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not storable as JSON"):
        await submit(store, ada, params=params)


async def test_params_with_a_written_out_escape_are_stored(store: JobStore, ada: int) -> None:
    params = {"x": "\\u0000", "y": '"\\', "z": "\U0001f600"}
    job = await submit(store, ada, params=params)
    assert (await store.get(job.id, ada)).params == params


@pytest.mark.parametrize("kind", ["", "Has Capitals", "x" * 41, 'quo"te'])
async def test_a_kind_that_cannot_name_a_queue_is_refused(store: JobStore, ada: int, kind: str) -> None:
    with pytest.raises(ValueError, match="kind of job"):
        await submit(store, ada, kind=kind)


async def test_an_owner_with_too_many_waiting_jobs_is_told_when_to_come_back(
    store: JobStore, database: Database, ada: int, eve: int
) -> None:
    for seconds in (10.0, 30.0):
        await end(database, await submit(store, eve), "succeeded", seconds)
    await submit(store, eve)
    await submit(store, ada, max_queued=1)
    with pytest.raises(QueueFull) as refused:
        await submit(store, ada, max_queued=1)
    # Two jobs leave the queue before there is a place, each after the recent jobs' mean of 20 s.
    assert refused.value.retry_after == 40
    await submit(store, ada, kind="another", max_queued=1)
    await submit(store, ada, max_queued=2)


async def test_simultaneous_submissions_do_not_exceed_the_limit(store: JobStore, ada: int) -> None:
    submissions = [submit(store, ada, max_queued=2) for _ in range(6)]
    results = await asyncio.gather(*submissions, return_exceptions=True)
    assert sum(isinstance(result, Job) for result in results) == 2
    assert sum(isinstance(result, QueueFull) for result in results) == 4
    assert await store.queued() == 2


async def test_a_repeated_submission_finds_its_job_also_in_a_full_queue(store: JobStore, ada: int) -> None:
    first = await submit(store, ada, idempotency_key="k", max_queued=1)
    again, created = await store.submit(
        owner_id=ada, kind="demo", params={}, correlation_id="c", idempotency_key="k", max_queued=1
    )
    assert (again.id, created) == (first.id, False)


async def test_a_job_that_is_tried_again_is_the_same_job_queued_anew(
    store: JobStore, database: Database, ada: int, clock: Clock
) -> None:
    job = await submit(store, ada, input_key="uploads/1", idempotency_key="once", params={"a": 1}, max_attempts=2)
    other = await submit(store, ada)
    await end(database, job, "failed", 5.0)
    async with database.connection() as connection:
        await connection.execute(
            """UPDATE jobs SET attempt = 2, stage = 'work', progress = 0.5, error = '{"code": "x"}' WHERE id = %s""",
            [job.id],
        )
    clock.advance(hours=1)
    again = await store.retry(job.id, ada)
    assert again == await store.get(job.id, ada)
    assert again == job  # but for its place in the queue
    assert [await store.queue_position(waiting) for waiting in (other, again)] == [1, 2]
    story = await store.events(job.id, ada)
    assert [(event.id, event.type, event.data) for event in story] == [
        (1, "queued", {}),
        (2, "queued", {"reason": "retried"}),
    ]
    assert story[-1].at == clock.now
    resubmitted, created = await store.submit(
        owner_id=ada, kind="demo", params={"a": 1}, correlation_id="c", idempotency_key="once"
    )
    assert (resubmitted.id, created) == (job.id, False)


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
async def test_only_a_failed_or_cancelled_job_is_tried_again(
    store: JobStore, database: Database, ada: int, state: str
) -> None:
    job = await submit(store, ada)
    async with database.connection() as connection:
        await connection.execute("UPDATE jobs SET state = %s", [state])
    with pytest.raises(NotRetryable) as refusal:
        await store.retry(job.id, ada)
    assert refusal.value.state == state
    assert [event.type for event in await store.events(job.id, ada)] == ["queued"]
    with pytest.raises(JobNotFound):
        await store.retry(uuid4(), ada)


async def test_of_many_who_try_a_job_again_at_once_one_does(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    await store.cancel(job.id, ada)
    outcomes = await asyncio.gather(*(store.retry(job.id, ada, max_queued=1) for _ in range(6)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Job", *["NotRetryable"] * 5]
    assert [event.type for event in await store.events(job.id, ada)] == ["queued", "cancelled", "queued"]


async def test_a_job_is_not_tried_again_past_a_full_queue(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    await store.cancel(job.id, ada)
    waiting = await submit(store, ada)
    with pytest.raises(QueueFull) as refusal:
        await store.retry(job.id, ada, max_queued=1)
    assert refusal.value.retry_after >= 1
    assert (await store.get(job.id, ada)).state == "cancelled"
    await store.cancel(waiting.id, ada)
    assert (await store.retry(job.id, ada, max_queued=1)).state == "queued"
    with pytest.raises(QueueFull):
        await submit(store, ada, max_queued=1)


async def test_a_job_that_is_tried_again_is_kept_until_its_next_end(store: JobStore, ada: int, clock: Clock) -> None:
    job = await submit(store, ada, input_key="uploads/1")
    sharing = await submit(store, ada, input_key="uploads/1")
    for waiting in (job, sharing):
        await store.cancel(waiting.id, ada)
    clock.advance(days=6)
    await store.retry(job.id, ada)
    clock.advance(days=2)
    assert await store.expire(clock.now) == [object_prefix(sharing.id)]  # its input is still needed
    assert await store.inputs() == {"uploads/1"}
    await store.cancel(job.id, ada)
    clock.advance(days=6)
    assert await store.expire(clock.now) == []
    clock.advance(days=1)
    assert await store.expire(clock.now) == ["uploads/1", object_prefix(job.id)]
    assert await store.inputs() == frozenset()


@pytest.mark.parametrize("turn", range(8))
async def test_a_job_is_either_tried_again_or_expired(store: JobStore, ada: int, clock: Clock, turn: int) -> None:
    job = await submit(store, ada, input_key="uploads/1")
    await store.cancel(job.id, ada)
    clock.advance(days=7)
    calls = [store.retry(job.id, ada), store.expire(clock.now)]
    outcomes = await asyncio.gather(*(calls if turn % 2 else reversed(calls)), return_exceptions=True)
    retried = next(outcome for outcome in outcomes if not isinstance(outcome, list))
    erased = next(outcome for outcome in outcomes if isinstance(outcome, list))
    if isinstance(retried, Job):
        assert erased == []
        assert (await store.get(job.id, ada)).state == "queued"
    else:
        assert isinstance(retried, JobNotFound)
        assert erased == ["uploads/1", object_prefix(job.id)]
        assert (await store.list(ada)).jobs == []


async def test_another_owners_job_does_not_exist(store: JobStore, ada: int, eve: int) -> None:
    job = await submit(store, ada)
    for call in (
        store.get(job.id, eve),
        store.cancel(job.id, eve),
        store.retry(job.id, eve),
        store.erase(job.id, eve),
        store.events(job.id, eve),
        store.set_labels(job.id, eve, {}),
        anext(store.follow(job.id, eve)),
    ):
        with pytest.raises(JobNotFound):
            await call
    assert (await store.list(eve)).jobs == []
    assert await store.get(job.id, ada) == job


async def test_pages_show_every_job_once_newest_first(store: JobStore, ada: int, clock: Clock) -> None:
    made = []
    for number in range(7):
        made.append(await submit(store, ada, params={"n": number}))
        if number % 2:  # pairs share their time of creation
            clock.advance(seconds=1)
    seen: list[UUID] = []
    cursor: str | None = None
    sizes = []
    while True:
        page = await store.list(ada, limit=3, cursor=cursor)
        seen += [job.id for job in page.jobs]
        sizes.append(len(page.jobs))
        cursor = page.next_cursor
        if cursor is None:
            break
        await submit(store, ada)  # newer jobs don't shift the pages
    assert sizes == [3, 3, 1]
    assert seen == [job.id for job in sorted(made, key=lambda job: (job.created_at, job.id), reverse=True)]


async def test_lists_are_filtered_by_kind_and_state(store: JobStore, ada: int) -> None:
    one, two = await submit(store, ada, kind="one"), await submit(store, ada, kind="two")
    await store.cancel(two.id, ada)
    assert [job.id for job in (await store.list(ada, kind="one")).jobs] == [one.id]
    assert [job.id for job in (await store.list(ada, state="cancelled")).jobs] == [two.id]
    assert (await store.list(ada, kind="one", state="cancelled")).jobs == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("TALK", ["talk"]),
        ("алл", ["greeting"]),
        ("ПРИВЕТ", ["greeting"]),
        ("e", ["talk", "greeting"]),
        ("100%", ["talk"]),
        ("%", ["talk"]),
        ("_", ["greeting"]),
        ("0_", []),
        ("\\", ["greeting"]),
        ("'", []),
        ("true", []),
        ("filename", []),
    ],
)
async def test_lists_are_searched_by_the_strings_of_the_params(
    store: JobStore, ada: int, eve: int, text: str, found: list[str]
) -> None:
    talk = {"filename": "Talk 100% sure.mp3", "options": {"speak": True}}
    greeting = {"filename": None, "options": {"text": "Привет, Алло \\ hello_you", "deep": [{"er": "x"}]}}
    ids = {}
    for name, params in {"talk": talk, "greeting": greeting}.items():
        ids[(await submit(store, ada, params=params)).id] = name
        await submit(store, eve, params=params)
    assert sorted(ids[job.id] for job in (await store.list(ada, text=text)).jobs) == sorted(found)


async def test_a_search_goes_on_over_pages_and_with_the_other_filters(store: JobStore, ada: int) -> None:
    wanted = [await submit(store, ada, params={"name": f"talk {n}"}) for n in range(5)]
    await submit(store, ada, params={"name": "other"})
    await submit(store, ada, kind="another", params={"name": "talk"})
    seen: list[UUID] = []
    cursor: str | None = None
    while True:
        page = await store.list(ada, kind="demo", state="queued", text="talk", limit=2, cursor=cursor)
        seen += [job.id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(job.id for job in wanted)
    assert (await store.list(ada, state="failed", text="talk")).jobs == []


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "bm90IGEgY3Vyc29y", "ы", "A" * 1000])
async def test_a_bad_cursor_is_refused(store: JobStore, ada: int, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await store.list(ada, cursor=cursor)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 201}, {"state": "lost"}])
async def test_a_bad_filter_is_refused(store: JobStore, ada: int, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        await store.list(ada, **wrong)


async def test_a_cancelled_queued_job_leaves_the_queue(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    cancelled = await store.cancel(job.id, ada)
    assert (cancelled.state, cancelled.finished_at, cancelled.expires_at) == (
        "cancelled",
        NOON,
        NOON + timedelta(days=7),
    )
    assert [event.type for event in await store.events(job.id, ada)] == ["queued", "cancelled"]
    assert await store.queue_position(cancelled) is None


async def test_an_ended_job_cannot_be_cancelled(store: JobStore, database: Database, ada: int) -> None:
    job = await submit(store, ada)
    await end(database, job, "succeeded", 1.0)
    assert (await store.cancel(job.id, ada)).state == "succeeded"
    assert [event.type for event in await store.events(job.id, ada)] == ["queued"]


async def test_erasing_a_job_names_the_objects_that_only_it_had(store: JobStore, database: Database, ada: int) -> None:
    first = await submit(store, ada, input_key="uploads/shared")
    second = await submit(store, ada, input_key="uploads/shared")
    assert await store.erase(first.id, ada) == [object_prefix(first.id)]
    assert await store.erase(second.id, ada) == ["uploads/shared", object_prefix(second.id)]
    with pytest.raises(JobNotFound):
        await store.get(first.id, ada)
    assert [await count(database, table) for table in ("jobs", "job_events")] == [0, 0]


async def test_the_queue_position_counts_jobs_of_the_same_kind_ahead(store: JobStore, ada: int, eve: int) -> None:
    first, other, second = (
        await submit(store, ada),
        await submit(store, ada, kind="other"),
        await submit(store, eve),
    )
    assert [await store.queue_position(job) for job in (first, other, second)] == [1, 1, 2]
    await store.cancel(first.id, ada)
    assert [await store.queue_position(job) for job in (first, second)] == [None, 1]


async def test_labels_are_replaced(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    await store.set_labels(job.id, ada, {"SPEAKER_00": "Ада"})
    labelled = await store.set_labels(job.id, ada, {"SPEAKER_01": "Eve"})
    assert labelled.labels == {"SPEAKER_01": "Eve"}
    assert await store.get(job.id, ada) == labelled


async def test_events_are_read_from_where_the_reader_was(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    await store.cancel(job.id, ada)
    assert [event.id for event in await store.events(job.id, ada, after=1)] == [2]
    assert [event.id for event in await store.events(job.id, ada, limit=1)] == [1]
    assert await store.events(job.id, ada, after=99) == []


async def test_a_follower_gets_the_past_then_the_news_and_ends_with_the_job(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    follower = store.follow(job.id, ada)
    assert (await anext(follower)).type == "queued"
    waiting = asyncio.ensure_future(anext(follower))
    await store.cancel(job.id, ada)
    assert (await waiting).type == "cancelled"
    with pytest.raises(StopAsyncIteration):
        await anext(follower)


@pytest.mark.parametrize("after", [2, 99])
async def test_a_follower_that_has_seen_everything_of_an_ended_job_ends(store: JobStore, ada: int, after: int) -> None:
    job = await submit(store, ada)
    await store.cancel(job.id, ada)
    assert [event.id async for event in store.follow(job.id, ada, after=after)] == []


async def test_a_follower_ends_when_the_job_is_erased(store: JobStore, ada: int) -> None:
    job = await submit(store, ada)
    follower = store.follow(job.id, ada)
    assert (await anext(follower)).type == "queued"
    rest = asyncio.ensure_future(_types(follower))
    await asyncio.sleep(0)
    await store.erase(job.id, ada)
    assert await rest == []


async def _types(events: AsyncIterator[Any]) -> list[str]:
    return [event.type async for event in events]


async def test_all_followers_of_a_process_share_one_listening_connection(
    store: JobStore, database: Database, ada: int
) -> None:
    jobs = [await submit(store, ada) for _ in range(5)]
    followers = [asyncio.ensure_future(_types(store.follow(job.id, ada))) for job in jobs for _ in range(3)]
    while not (listening := await _listeners(database)):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    for job in jobs:
        await store.cancel(job.id, ada)
    assert await asyncio.gather(*followers) == [["queued", "cancelled"]] * 15
    assert listening == 1


async def _listeners(database: Database) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        (row,) = await cursor.fetchall()
    return int(row["n"])


async def test_expired_jobs_are_removed_and_their_objects_named(store: JobStore, clock: Clock, ada: int) -> None:
    old = await submit(store, ada, input_key="uploads/old")
    await store.cancel(old.id, ada)
    clock.advance(days=1)
    young, waiting = await submit(store, ada), await submit(store, ada)
    await store.cancel(young.id, ada)

    assert await store.expire(NOON + timedelta(days=6, hours=23)) == []
    assert await store.expire(NOON + timedelta(days=7)) == ["uploads/old", object_prefix(old.id)]
    assert await store.expire(NOON + timedelta(days=365)) == [object_prefix(young.id)]
    assert [job.id for job in (await store.list(ada)).jobs] == [waiting.id]


async def test_more_jobs_than_fit_one_batch_expire_at_once(store: JobStore, database: Database, ada: int) -> None:
    async with database.connection() as connection:
        await connection.execute(
            """
            INSERT INTO jobs (id, owner_id, kind, state, params, correlation_id, fingerprint, max_attempts, time_limit,
                              cost, retention, created_at, expires_at)
            SELECT gen_random_uuid(), %s, 'demo', 'succeeded', '{}', '', '', 1, 1, 0, '1 day', now(), now()
            FROM generate_series(1, 450)
            """,
            [ada],
        )
    assert len(await store.expire(datetime.now(UTC) + timedelta(days=1))) == 450
    assert await count(database, "jobs") == 0


async def test_statistics_show_the_queue_and_totals_survive_expiry(
    store: JobStore, clock: Clock, ada: int, eve: int
) -> None:
    await submit(store, ada, cost=10.0)
    clock.advance(seconds=30)
    await submit(store, eve, cost=5.0)
    ended = await submit(store, ada, kind="other")
    await store.cancel(ended.id, ada)
    await store.expire(NOON + timedelta(days=30))

    statistics = await store.statistics()
    assert statistics.counts == {("demo", "queued"): 2}
    assert statistics.queued_cost == {"demo": 15.0}
    assert statistics.oldest_queued_seconds == {"demo": 30.0}
    assert statistics.ended[("other", "cancelled")].count == 1


async def test_the_backlog_is_what_is_left_to_do_of_all_owners(
    store: JobStore, database: Database, ada: int, eve: int
) -> None:
    kinds = ["demo", "other"]
    assert await store.backlog(kinds=kinds) == Backlog(queued=0, running=0, cost=0.0)
    await submit(store, ada, cost=10.0)
    half_done = await submit(store, eve, kind="other", cost=100.0)
    await submit(store, ada)
    ended = await submit(store, ada, cost=7.0)
    await store.cancel(ended.id, ada)
    async with database.connection() as connection:
        await connection.execute("UPDATE jobs SET state = 'running', progress = 0.5 WHERE id = %s", [half_done.id])

    assert await store.backlog(kinds=kinds, unknown_cost=3.0) == Backlog(queued=2, running=1, cost=63.0)
    assert await store.backlog(kinds=["demo"], unknown_cost=3.0) == Backlog(queued=2, running=0, cost=13.0)
