import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from postgres import kill

from storage.clock import utc_now
from storage.database import Database, DatabaseUnavailable
from storage.embedded_postgres import EmbeddedPostgres
from storage.jobs import (
    Attempt,
    Backoff,
    FenceLost,
    Handler,
    Job,
    JobEvent,
    JobFailure,
    JobResult,
    JobStore,
    JobWorker,
)
from storage.jobs.sweeper import Sweeper
from storage.jobs.transitions import Ending, claim
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]

WORKER_PROCESS = Path(__file__).resolve().parent.parent / "worker_process.py"
ENDS = {"succeeded", "failed", "cancelled"}


def classify(error: BaseException) -> JobFailure:
    return JobFailure("fault", f"It failed with {type(error).__name__}.", retryable=True)


@pytest.fixture(autouse=True)
def without_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers must be woken: a lost notification leaves them waiting until the test fails."""
    monkeypatch.setattr("storage.jobs.store._POLL_SECONDS", 3600.0)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[JobStore]:
    store = JobStore(database)
    yield store
    await store.close()


@pytest.fixture
async def owner(database: Database) -> int:
    return (await Users(database).create("Ada")).id


Working = Callable[..., AbstractAsyncContextManager[JobWorker]]


@pytest.fixture
def working(database: Database) -> Working:
    @asynccontextmanager
    async def run(handlers: Mapping[str, Handler], **options: Any) -> AsyncIterator[JobWorker]:
        defaults = {
            "heartbeat": 0.1,
            "stalled_after": 1.0,
            "poll_interval": 0.1,
            "backoff": Backoff(base=0.0),
            "throttle": 0.01,
        }
        worker = JobWorker(database, handlers, classify=classify, **{**defaults, **options})
        task = asyncio.create_task(worker.run())
        try:
            async with asyncio.timeout(50):
                yield worker
        finally:
            await worker.stop(0.0)
            await task

    return run


@pytest.fixture
def spawn(database_url: str) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts worker processes, and ends those that are left."""
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen([sys.executable, str(WORKER_PROCESS), database_url, "0.2", "1.0"]))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


async def submit(store: JobStore, owner: int, **details: Any) -> Job:
    job, _ = await store.submit(**{"owner_id": owner, "kind": "demo", "params": {}, "correlation_id": "c-1", **details})
    return job


async def follow(store: JobStore, job: Job, until: str | None = None) -> list[JobEvent]:
    """All events of a job, up to one of a type, or to the end."""
    events = []
    async with asyncio.timeout(30):
        async for event in store.follow(job.id, job.owner_id):
            events.append(event)
            if event.type == until:
                break
    return events


def types(events: list[JobEvent]) -> list[str]:
    return [event.type for event in events]


async def done(attempt: Attempt) -> JobResult:
    return JobResult({"attempt": attempt.job.attempt})


async def test_a_killed_workers_job_is_taken_over_by_another_process(
    store: JobStore, owner: int, spawn: Callable[[], subprocess.Popen[bytes]]
) -> None:
    job = await submit(store, owner, params={"linger_on": [1]})
    doomed = spawn()
    await follow(store, job, until="lingering")
    heir = spawn()
    doomed.kill()
    events = await follow(store, job)
    assert types(events) == ["queued", "started", "lingering", "retrying", "started", "succeeded"]
    assert events[3].data["error"]["code"] == "worker_lost"
    assert (await store.get(job.id, owner)).result == {"pid": heir.pid, "attempt": 2}


async def test_a_job_that_kills_every_worker_fails_as_worker_lost(
    store: JobStore, owner: int, working: Working, spawn: Callable[[], subprocess.Popen[bytes]]
) -> None:
    job = await submit(store, owner, params={"die_on": [1, 2]}, max_attempts=2)
    async with working({"another kind": done}):
        for _ in range(2):
            assert await asyncio.to_thread(spawn().wait) == -signal.SIGKILL
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "retrying", "started", "failed"]
    ended = await store.get(job.id, owner)
    assert (ended.state, ended.attempt) == ("failed", 2)
    assert ended.error is not None
    assert ended.error["code"] == "worker_lost"
    assert ended.expires_at is not None


async def test_a_terminated_worker_process_gives_its_job_back_and_ends(
    store: JobStore, owner: int, spawn: Callable[[], subprocess.Popen[bytes]]
) -> None:
    job = await submit(store, owner, params={"linger_on": [1]})
    process = spawn()
    await follow(store, job, until="lingering")
    process.terminate()
    assert await asyncio.to_thread(process.wait) == 0
    given_back = await store.get(job.id, owner)
    assert (given_back.state, given_back.attempt) == ("queued", 0)


async def test_a_living_workers_long_job_is_not_taken_over(store: JobStore, owner: int, working: Working) -> None:
    """Two workers sweep ten times as often as the lease lasts; the slow but living handler keeps its job."""
    finish = asyncio.Event()

    async def slow(_: Attempt) -> JobResult:
        await finish.wait()
        return JobResult({})

    job = await submit(store, owner)
    impatient = {"heartbeat": 0.1, "stalled_after": 1.0}
    async with working({"demo": slow}, **impatient), working({"demo": slow}, **impatient):
        await follow(store, job, until="started")
        await asyncio.sleep(2.5)
        finish.set()
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "succeeded"]


async def test_a_job_survives_kills_of_the_database_in_its_middle(
    store: JobStore, owner: int, working: Working, postgres_server: EmbeddedPostgres
) -> None:
    """Handlers go on through outages longer than a lease, and every job gets exactly one result."""
    outages = 2
    reached = [asyncio.Event() for _ in range(outages)]
    resume = [asyncio.Event() for _ in range(outages)]
    calls = 0

    async def work(attempt: Attempt) -> JobResult:
        nonlocal calls
        calls += 1
        for number in range(outages):
            await attempt.event("before", {"outage": number})
            reached[number].set()
            await resume[number].wait()
            await attempt.progress("through", (number + 1) / outages)
        return JobResult({"attempt": attempt.job.attempt})

    job = await submit(store, owner)
    later = [await submit(store, owner, kind="later") for _ in range(3)]
    following = asyncio.create_task(follow(store, job))
    async with working({"demo": work, "later": done}, concurrency=1):
        for number in range(outages):
            await reached[number].wait()
            await asyncio.to_thread(kill, postgres_server)
            resume[number].set()
            await asyncio.sleep(1.5)
            await asyncio.to_thread(postgres_server.ensure_running)
        events = await following
        for other in later:
            assert types(await follow(store, other)) == ["queued", "started", "succeeded"]
    assert calls == 1
    assert [event for event in types(events) if event in ENDS] == ["succeeded"]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert [event.data["outage"] for event in events if event.type == "before"] == [0, 1]
    assert (await store.get(job.id, owner)).result == {"attempt": 1}


async def test_a_result_found_during_an_outage_is_written_after_it(
    store: JobStore, owner: int, working: Working, postgres_server: EmbeddedPostgres
) -> None:
    started, finish, returned = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(attempt: Attempt) -> JobResult:
        started.set()
        await finish.wait()
        for number in range(5):
            await attempt.event("segment", {"n": number})
        returned.set()
        return JobResult({"found": "during the outage"})

    job = await submit(store, owner)
    async with working({"demo": work}):
        await started.wait()
        await asyncio.to_thread(kill, postgres_server)
        finish.set()
        await returned.wait()
        with pytest.raises(DatabaseUnavailable):
            await store.get(job.id, owner)
        await asyncio.to_thread(postgres_server.ensure_running)
        events = await follow(store, job)
        assert types(await follow(store, await submit(store, owner, kind="demo")))[-1] == "succeeded"
    assert types(events) == ["queued", "started", *["segment"] * 5, "succeeded"]
    assert (await store.get(job.id, owner)).result == {"found": "during the outage"}


async def test_a_worker_hears_of_new_jobs_after_a_restart_of_the_database(
    store: JobStore, owner: int, working: Working, postgres_server: EmbeddedPostgres
) -> None:
    async with working({"demo": done}, poll_interval=3600.0):
        await follow(store, await submit(store, owner))
        await asyncio.to_thread(kill, postgres_server)
        await asyncio.to_thread(postgres_server.ensure_running)
        for _ in range(2):
            assert types(await follow(store, await submit(store, owner))) == ["queued", "started", "succeeded"]


async def test_a_worker_can_stop_during_an_outage(
    store: JobStore, owner: int, working: Working, postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.jobs.worker._STOP_SECONDS", 0.2)
    started = asyncio.Event()

    async def work(_: Attempt) -> JobResult:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    job = await submit(store, owner)
    async with working({"demo": work}):
        await started.wait()
        await asyncio.to_thread(kill, postgres_server)
    await asyncio.to_thread(postgres_server.ensure_running)
    async with working({"demo": done}):
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "retrying", "started", "succeeded"]


async def test_a_commit_whose_answer_is_lost_is_not_repeated(
    store: JobStore,
    database: Database,
    database_url: str,
    owner: int,
    working: Working,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every transaction of the worker commits, then claims that the connection broke: nothing happens twice."""
    original = Database.connection
    lost: set[int] = set()

    @asynccontextmanager
    async def forgetful(self: Database) -> AsyncIterator[Any]:
        async with original(self) as connection:
            yield connection
        # Each second transaction of a task goes unanswered, so that a repetition gets through.
        task = id(asyncio.current_task())
        if self is database and task not in lost:
            lost.add(task)
            raise DatabaseUnavailable("the connection broke after the commit")
        lost.discard(task)

    async def work(attempt: Attempt) -> JobResult:
        for number in range(5):
            await attempt.event("segment", {"n": number})
            await asyncio.sleep(0.05)
        if attempt.job.attempt == 1:
            raise ConnectionError
        return JobResult({"attempt": attempt.job.attempt})

    job = await submit(store, owner)
    async with Database(database_url) as reader:
        watching = JobStore(reader)
        async with working({"demo": work}):
            with monkeypatch.context() as patch:
                patch.setattr(Database, "connection", forgetful)
                events = await follow(watching, job)
        await watching.close()
    segments = ["segment"] * 5
    assert types(events) == ["queued", "started", *segments, "retrying", "started", *segments, "succeeded"]
    assert (await store.get(job.id, owner)).attempt == 2
    statistics = await store.statistics()
    assert statistics.ended[("demo", "succeeded")].count == 1


async def test_an_ending_repeated_because_its_answer_was_lost_is_no_error(
    store: JobStore, database: Database, owner: int
) -> None:
    job = await submit(store, owner)
    async with database.connection() as connection:
        row = await claim(connection, ["demo"], uuid4(), utc_now())
    assert row is not None
    attempt = Attempt(database, row, clock=utc_now, throttle=0.0)
    for _ in range(2):
        await attempt.end(Ending.succeeded(JobResult({"n": 1})), for_seconds=0.0)
    assert types(await store.events(job.id, owner)) == ["queued", "started", "succeeded"]
    with pytest.raises(FenceLost):
        await attempt.end(Ending.giving_back(), for_seconds=0.0)


async def test_a_claim_repeated_because_its_answer_was_lost_finds_its_job(
    store: JobStore, database: Database, owner: int
) -> None:
    job, other = await submit(store, owner), await submit(store, owner)
    claim_id = uuid4()
    claimed = []
    for claim_of in (claim_id, claim_id, uuid4()):
        async with database.connection() as connection:
            row = await claim(connection, ["demo"], claim_of, utc_now())
        assert row is not None
        claimed.append((row["id"], row["fence"], row["attempt"]))
    assert claimed == [(job.id, 1, 1), (job.id, 1, 1), (other.id, 1, 1)]
    assert types(await store.events(job.id, owner)) == ["queued", "started"]


class Watch:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def sweeper_of(database: Database, watch: Watch) -> Sweeper:
    return Sweeper(database, stalled_after=20.0, clock=utc_now, monotonic=watch)


async def run_nowhere(database: Database, job: Job) -> None:
    """Makes a job look as if a worker had started it and died."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobs SET state = 'running', attempt = 1, fence = 1, heartbeat_at = now() WHERE id = %s", [job.id]
        )


async def test_a_heartbeat_must_stand_still_for_the_whole_time(store: JobStore, database: Database, owner: int) -> None:
    watch = Watch()
    sweeper = sweeper_of(database, watch)
    job = await submit(store, owner)
    await run_nowhere(database, job)
    assert await sweeper.sweep() == 0
    watch.now = 15.0
    async with database.connection() as connection:
        await connection.execute("UPDATE jobs SET heartbeat_at = clock_timestamp()")
    assert await sweeper.sweep() == 0
    watch.now = 34.0
    assert await sweeper.sweep() == 0
    watch.now = 35.0
    assert await sweeper.sweep() == 1
    assert (await store.get(job.id, owner)).state == "queued"


async def test_a_heartbeat_between_the_look_and_the_takeover_keeps_the_job(
    store: JobStore, database: Database, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch()
    sweeper = sweeper_of(database, watch)
    job = await submit(store, owner)
    await run_nowhere(database, job)
    await sweeper.sweep()
    look = sweeper._running

    async def look_too_early() -> list[dict[str, Any]]:
        rows = await look()
        async with database.connection() as connection:
            await connection.execute("UPDATE jobs SET heartbeat_at = clock_timestamp()")
        return rows

    monkeypatch.setattr(sweeper, "_running", look_too_early)
    watch.now = 20.0
    assert await sweeper.sweep() == 0
    assert (await store.get(job.id, owner)).state == "running"


async def test_a_worker_does_not_take_its_own_jobs_over(store: JobStore, database: Database, owner: int) -> None:
    watch = Watch()
    job = await submit(store, owner)
    sweeper = Sweeper(database, stalled_after=20.0, clock=utc_now, holding=lambda: [job.id], monotonic=watch)
    await run_nowhere(database, job)
    for watch.now in (0.0, 20.0, 40.0):
        assert await sweeper.sweep() == 0


async def test_an_outage_makes_no_worker_look_dead(
    store: JobStore, database: Database, database_url: str, owner: int
) -> None:
    watch = Watch()
    sweeper = sweeper_of(database, watch)
    await run_nowhere(database, await submit(store, owner))
    for watch.now in (0.0, 8.0):
        assert await sweeper.sweep() == 0
    await database.close()
    watch.now = 16.0
    with pytest.raises(DatabaseUnavailable):
        await sweeper.sweep()
    async with Database(database_url) as again:
        sweeper._database = again
        for watch.now in (21.0, 31.0):
            assert await sweeper.sweep() == 0
        watch.now = 41.0
        assert await sweeper.sweep() == 1


async def test_a_sweeper_that_stood_still_itself_accuses_nobody(
    store: JobStore, database: Database, owner: int
) -> None:
    watch = Watch()
    sweeper = sweeper_of(database, watch)
    await run_nowhere(database, await submit(store, owner))
    await sweeper.sweep()
    watch.now = 1000.0
    assert await sweeper.sweep() == 0


async def test_simultaneous_sweeps_repair_a_job_once(store: JobStore, database: Database, owner: int) -> None:
    watch = Watch()
    sweepers = [sweeper_of(database, watch) for _ in range(4)]
    job = await submit(store, owner)
    await run_nowhere(database, job)
    await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))
    watch.now = 20.0
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 1
    assert types(await store.events(job.id, owner)) == ["queued", "retrying"]


async def test_a_follower_survives_a_restart_of_the_database(
    store: JobStore, owner: int, postgres_server: EmbeddedPostgres
) -> None:
    job = await submit(store, owner)
    follower = store.follow(job.id, owner)
    assert (await anext(follower)).type == "queued"
    following = asyncio.ensure_future(anext(follower))
    await asyncio.to_thread(kill, postgres_server)
    await asyncio.to_thread(postgres_server.ensure_running)
    await store.cancel(job.id, owner)
    assert (await following).type == "cancelled"
