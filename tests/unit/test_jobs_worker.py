import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog

from storage.database import Database
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
from storage.jobs.transitions import CHANNEL_CANCELLED
from storage.users import Users

pytestmark = [pytest.mark.unit, pytest.mark.anyio, pytest.mark.timeout(60)]

AT_ONCE = Backoff(base=0.0)


class BadInput(Exception):
    pass


def classify(error: BaseException) -> JobFailure:
    if isinstance(error, BadInput):
        return JobFailure("bad_input", str(error), retryable=False, field="file")
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
    async def run(handlers: Mapping[str, Handler], *, grace: float = 0.0, **options: Any) -> AsyncIterator[JobWorker]:
        defaults = {"heartbeat": 0.1, "stalled_after": 2.0, "poll_interval": 0.1, "backoff": AT_ONCE, "throttle": 0.01}
        worker = JobWorker(database, handlers, classify=classify, **{**defaults, **options})
        task = asyncio.create_task(worker.run())
        try:
            async with asyncio.timeout(50):
                yield worker
        finally:
            await worker.stop(grace)
            await task

    return run


async def submit(store: JobStore, owner: int, **details: Any) -> Job:
    job, _ = await store.submit(**{"owner_id": owner, "kind": "demo", "params": {}, "correlation_id": "c-1", **details})
    return job


async def follow(store: JobStore, job: Job) -> list[JobEvent]:
    """All events of a job, read when it has ended."""
    async with asyncio.timeout(30):
        return [event async for event in store.follow(job.id, job.owner_id)]


def types(events: list[JobEvent]) -> list[str]:
    return [event.type for event in events]


async def done(_: Attempt) -> JobResult:
    return JobResult({"done": True}, {"work": 1.5})


async def test_a_submitted_job_is_done_with_result_timings_and_events(
    store: JobStore, owner: int, working: Working
) -> None:
    job = await submit(store, owner, params={"n": 20})

    async def double(attempt: Attempt) -> JobResult:
        await attempt.progress("doubling", 0.5)
        await attempt.event("hint", {"text": "nearly"})
        return JobResult({"answer": attempt.job.params["n"] * 2}, {"doubling": 0.25})

    async with working({"demo": double}):
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "progress", "hint", "succeeded"]
    assert [event.id for event in events] == [1, 2, 3, 4, 5]
    assert events[1].data == {"attempt": 1}
    assert events[2].data == {"stage": "doubling", "progress": 0.5}
    assert events[3].data == {"text": "nearly"}
    ended = await store.get(job.id, owner)
    assert (ended.state, ended.result, ended.timings) == ("succeeded", {"answer": 40}, {"doubling": 0.25})
    assert (ended.attempt, ended.progress, ended.stage) == (1, 1.0, "doubling")
    assert ended.finished_at is not None
    assert ended.expires_at == ended.finished_at + timedelta(days=7)


async def test_a_job_submitted_to_a_waiting_worker_is_done(store: JobStore, owner: int, working: Working) -> None:
    async with working({"demo": done}, poll_interval=60.0):
        await follow(store, await submit(store, owner))
        events = await follow(store, await submit(store, owner))
    assert types(events) == ["queued", "started", "succeeded"]


async def test_a_worker_leaves_other_kinds_alone(store: JobStore, owner: int, working: Working) -> None:
    other = await submit(store, owner, kind="other")
    async with working({"demo": done}):
        await follow(store, await submit(store, owner))
    assert (await store.get(other.id, owner)).state == "queued"


async def test_no_more_jobs_run_at_once_than_allowed(store: JobStore, owner: int, working: Working) -> None:
    running = most = 0
    two = asyncio.Event()

    async def count(_: Attempt) -> JobResult:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 2:
            two.set()
        await two.wait()
        await asyncio.sleep(0.02)
        running -= 1
        return JobResult({})

    jobs = [await submit(store, owner) for _ in range(6)]
    async with working({"demo": count}, concurrency=2):
        for job in jobs:
            await follow(store, job)
    assert most == 2


async def test_bad_input_fails_at_once_with_its_code_and_field(store: JobStore, owner: int, working: Working) -> None:
    async def refuse(_: Attempt) -> JobResult:
        raise BadInput("There is no sound in it.")

    job = await submit(store, owner)
    async with working({"demo": refuse}):
        events = await follow(store, job)
    ended = await store.get(job.id, owner)
    error = {"code": "bad_input", "message": "There is no sound in it.", "field": "file"}
    assert types(events) == ["queued", "started", "failed"]
    assert events[-1].data == {"error": error}
    assert (ended.state, ended.error, ended.attempt) == ("failed", error, 1)


async def test_a_fault_is_tried_again_until_it_is_gone(store: JobStore, owner: int, working: Working) -> None:
    async def falter(attempt: Attempt) -> JobResult:
        if attempt.job.attempt < 3:
            raise ConnectionError("secret details")
        return JobResult({"attempt": attempt.job.attempt})

    job = await submit(store, owner)
    async with working({"demo": falter}):
        events = await follow(store, job)
    assert types(events) == ["queued", *["started", "retrying"] * 2, "started", "succeeded"]
    assert events[2].data == {
        "attempt": 1,
        "delay": 0.0,
        "error": {"code": "fault", "message": "It failed with ConnectionError."},
    }
    assert (await store.get(job.id, owner)).result == {"attempt": 3}


async def test_a_lasting_fault_fails_when_the_attempts_are_used_up(
    store: JobStore, owner: int, working: Working
) -> None:
    async def falter(_: Attempt) -> JobResult:
        raise ConnectionError("secret details")

    job = await submit(store, owner, max_attempts=2)
    async with working({"demo": falter}):
        events = await follow(store, job)
    ended = await store.get(job.id, owner)
    assert types(events) == ["queued", "started", "retrying", "started", "failed"]
    assert (ended.state, ended.attempt) == ("failed", 2)
    assert ended.error == {"code": "fault", "message": "It failed with ConnectionError."}


async def test_a_retry_waits_for_its_delay(store: JobStore, database: Database, owner: int, working: Working) -> None:
    async def falter_once(attempt: Attempt) -> JobResult:
        if attempt.job.params:
            return JobResult({})
        raise ConnectionError

    job = await submit(store, owner)
    async with working({"demo": falter_once}, backoff=Backoff(base=3600.0, longest=3600.0, jitter=0.0)):
        async for event in store.follow(job.id, owner):
            if event.type == "retrying":
                break
        # What is due goes first, though it came later.
        assert types(await follow(store, await submit(store, owner, params={"n": 1})))[-1] == "succeeded"
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT due_at - now() AS wait FROM jobs WHERE id = %s", [job.id])
        (row,) = await cursor.fetchall()
    assert timedelta(minutes=50) < row["wait"] <= timedelta(hours=1)
    waiting = await store.get(job.id, owner)
    assert (waiting.state, waiting.attempt) == ("queued", 1)


def test_the_wait_between_attempts_doubles_up_to_its_limit_with_jitter() -> None:
    backoff = Backoff(base=2.0, longest=60.0, jitter=0.25)
    assert [backoff.delay(attempt, 0.5) for attempt in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
    assert (backoff.delay(1, 0.0), backoff.delay(1, 1.0)) == (1.5, 2.5)


@pytest.mark.parametrize("result", [{"x": float("inf")}, {"x": "\x00"}, {"x": object()}])
async def test_a_result_that_cannot_be_stored_is_a_failure_of_the_handler(
    store: JobStore, owner: int, working: Working, result: dict[str, Any]
) -> None:
    async def answer(_: Attempt) -> JobResult:
        return JobResult(result)

    job = await submit(store, owner, max_attempts=1)
    async with working({"demo": answer}):
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "failed"]


async def test_a_job_over_its_time_limit_fails_without_another_attempt(
    store: JobStore, owner: int, working: Working
) -> None:
    stopped = asyncio.Event()

    async def linger(_: Attempt) -> JobResult:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    job = await submit(store, owner, time_limit=0.05)
    async with working({"demo": linger}):
        events = await follow(store, job)
    ended = await store.get(job.id, owner)
    assert types(events) == ["queued", "started", "failed"]
    assert ended.error is not None
    assert ended.error["code"] == "time_limit"
    assert stopped.is_set()


async def test_cancelling_a_running_job_ends_it_at_once_and_frees_the_worker(
    store: JobStore, owner: int, working: Working
) -> None:
    stopped = asyncio.Event()

    async def linger(attempt: Attempt) -> JobResult:
        if attempt.job.params:
            return JobResult({})
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    job = await submit(store, owner)
    # The worker is notified: no heartbeat tells it in time.
    async with working({"demo": linger}, concurrency=1, heartbeat=600.0, stalled_after=1200.0):
        async for event in store.follow(job.id, owner):
            if event.type == "started":
                break
        cancelled = await store.cancel(job.id, owner)
        assert cancelled.state == "cancelled"
        assert types(await follow(store, job)) == ["queued", "started", "cancelled"]
        await stopped.wait()
        assert types(await follow(store, await submit(store, owner, params={"quick": True})))[-1] == "succeeded"
    assert await store.get(job.id, owner) == cancelled


async def test_a_job_that_was_cancelled_before_the_worker_listens_is_ended_when_it_does(
    store: JobStore, owner: int, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_listen, stopped = asyncio.Event(), asyncio.Event()
    listen = Database.listen

    async def listen_late(database: Database, channels: Sequence[str], *callbacks: Any) -> None:
        if CHANNEL_CANCELLED in channels:
            await may_listen.wait()
        await listen(database, channels, *callbacks)

    async def linger(_attempt: Attempt) -> JobResult:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    monkeypatch.setattr(Database, "listen", listen_late)
    job = await submit(store, owner)
    async with working({"demo": linger}, heartbeat=600.0, stalled_after=1200.0):
        async for event in store.follow(job.id, owner):
            if event.type == "started":
                break
        await store.cancel(job.id, owner)
        may_listen.set()
        await stopped.wait()


async def test_erasing_a_running_job_stops_its_handler(store: JobStore, owner: int, working: Working) -> None:
    stopped = asyncio.Event()

    async def linger(_: Attempt) -> JobResult:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    job = await submit(store, owner)
    async with working({"demo": linger}, heartbeat=600.0, stalled_after=1200.0):
        async for event in store.follow(job.id, owner):
            if event.type == "started":
                break
        await store.erase(job.id, owner)
        await stopped.wait()


async def test_a_zombies_writes_are_refused(store: JobStore, database: Database, owner: int, working: Working) -> None:
    """A handler that lost its job, and doesn't notice, can neither tell events nor end the job a second time."""
    job = await submit(store, owner)
    attempts: list[Attempt] = []
    refused = asyncio.Event()
    resumed = asyncio.Event()

    async def work(attempt: Attempt) -> JobResult:
        attempts.append(attempt)
        if len(attempts) == 1:
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
            with pytest.raises(FenceLost):
                while True:
                    await attempt.progress("haunting", 0.9)
                    await asyncio.sleep(0.01)
            refused.set()
            return JobResult({"by": "zombie"})
        await resumed.wait()
        return JobResult({"by": "successor"})

    async with working({"demo": work}):
        async for event in store.follow(job.id, owner):
            if event.type == "started":
                break
        # What another worker's takeover does to the row.
        async with database.connection() as connection:
            await connection.execute("UPDATE jobs SET state = 'queued' WHERE id = %s", [job.id])
        await refused.wait()
        resumed.set()
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "started", "succeeded"]
    assert attempts[1].fence == attempts[0].fence + 1
    assert (await store.get(job.id, owner)).result == {"by": "successor"}


async def test_a_worker_leaves_the_heartbeat_of_another_claim_alone(
    store: JobStore, database: Database, owner: int, working: Working
) -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def linger(_: Attempt) -> JobResult:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        raise AssertionError

    job = await submit(store, owner)
    async with working({"demo": linger}, stalled_after=600.0), asyncio.timeout(30):
        await started.wait()
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE jobs SET fence = fence + 1, heartbeat_at = 'epoch' WHERE id = %s", [job.id]
            )
        await stopped.wait()
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT state, heartbeat_at = 'epoch' AS untouched FROM jobs")
        assert await cursor.fetchall() == [{"state": "running", "untouched": True}]


async def test_a_stopping_worker_lets_a_job_end_within_the_grace(store: JobStore, owner: int, working: Working) -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def work(_: Attempt) -> JobResult:
        started.set()
        await finish.wait()
        return JobResult({})

    job, waiting = await submit(store, owner), await submit(store, owner)
    async with working({"demo": work}) as worker:
        await started.wait()
        stopping = asyncio.create_task(worker.stop(grace=60.0))
        await asyncio.sleep(0)
        finish.set()
        await stopping
    assert (await store.get(job.id, owner)).state == "succeeded"
    assert (await store.get(waiting.id, owner)).state == "queued"


async def test_a_stopping_worker_gives_unfinished_jobs_back_without_counting_the_attempt(
    store: JobStore, owner: int, working: Working
) -> None:
    started = asyncio.Event()

    async def linger(_: Attempt) -> JobResult:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    job = await submit(store, owner, max_attempts=1)
    async with working({"demo": linger}, grace=0.0):
        await started.wait()
    given_back = await store.get(job.id, owner)
    assert (given_back.state, given_back.attempt) == ("queued", 0)
    async with working({"demo": done}):
        events = await follow(store, job)
    assert types(events) == ["queued", "started", "queued", "started", "succeeded"]
    assert [event.data for event in events if event.type == "started"] == [{"attempt": 1}, {"attempt": 1}]


async def test_cancelling_the_worker_gives_its_jobs_back(store: JobStore, database: Database, owner: int) -> None:
    started = asyncio.Event()

    async def linger(_: Attempt) -> JobResult:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    job = await submit(store, owner)
    task = asyncio.create_task(JobWorker(database, {"demo": linger}, classify=classify).run())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await store.get(job.id, owner)).state == "queued"


async def test_steps_within_a_stage_are_thinned_out_and_the_last_is_kept(
    store: JobStore, owner: int, working: Working
) -> None:
    async def work(attempt: Attempt) -> JobResult:
        for step in range(500):
            await attempt.progress("counting", step / 500)
        await attempt.progress("counting", 0.999)
        for step in range(500):
            await attempt.progress("sorting", step / 500)
        return JobResult({})

    job = await submit(store, owner)
    async with working({"demo": work}, throttle=60.0):
        events = await follow(store, job)
    progress = [(event.data["stage"], event.data["progress"]) for event in events if event.type == "progress"]
    assert len(progress) <= 4
    assert ("counting", 0.999) in progress
    assert progress[-1] == ("sorting", 499 / 500)


async def test_every_event_of_the_handlers_own_arrives_in_order(store: JobStore, owner: int, working: Working) -> None:
    async def work(attempt: Attempt) -> JobResult:
        for number in range(2500):
            await attempt.event("segment", {"n": number})
        return JobResult({})

    job = await submit(store, owner)
    async with working({"demo": work}):
        events = await follow(store, job)
    assert [event.id for event in events] == list(range(1, 2504))
    assert [event.data["n"] for event in events if event.type == "segment"] == list(range(2500))


async def test_the_queues_own_event_types_and_bad_fractions_are_refused(
    store: JobStore, owner: int, working: Working
) -> None:
    refusals = []

    async def work(attempt: Attempt) -> JobResult:
        for call in (attempt.event("succeeded", {}), attempt.event("x", {"x": "\x00"}), attempt.progress("x", 1.01)):
            with pytest.raises(ValueError, match=r"queue's own|JSON|between 0 and 1") as refused:
                await call
            refusals.append(refused.value)
        return JobResult({})

    async with working({"demo": work}):
        events = await follow(store, await submit(store, owner))
    assert len(refusals) == 3
    assert types(events) == ["queued", "started", "succeeded"]


async def test_the_correlation_id_is_bound_while_the_handler_runs(
    store: JobStore, owner: int, working: Working
) -> None:
    seen: dict[str, Any] = {}

    async def work(_: Attempt) -> JobResult:
        seen.update(structlog.contextvars.get_contextvars())
        return JobResult({})

    job = await submit(store, owner, correlation_id="c-42")
    async with working({"demo": work}):
        await follow(store, job)
    assert seen == {"correlation_id": "c-42", "job_id": str(job.id), "kind": "demo", "attempt": 1}


async def test_the_deadline_is_the_start_plus_the_time_limit(store: JobStore, owner: int, working: Working) -> None:
    deadlines = []

    async def work(attempt: Attempt) -> JobResult:
        deadlines.append(attempt.deadline)
        return JobResult({})

    job = await submit(store, owner, time_limit=90.0)
    async with working({"demo": work}):
        await follow(store, job)
    started = (await store.get(job.id, owner)).started_at
    assert started is not None
    assert deadlines == [started + timedelta(seconds=90)]


async def test_totals_count_ends_and_stages(store: JobStore, owner: int, working: Working) -> None:
    jobs = [await submit(store, owner) for _ in range(2)]
    async with working({"demo": done}):
        for job in jobs:
            await follow(store, job)
    statistics = await store.statistics()
    assert statistics.ended[("demo", "succeeded")].count == 2
    assert (statistics.stages[("demo", "work")].seconds, statistics.stages[("demo", "work")].count) == (3.0, 2)


async def test_too_short_a_patience_with_stalled_workers_is_refused(database: Database) -> None:
    handlers: dict[str, Callable[[Attempt], Awaitable[JobResult]]] = {"demo": done}
    with pytest.raises(ValueError, match="two heartbeats"):
        JobWorker(database, handlers, classify=classify, heartbeat=5.0, stalled_after=9.0)


async def test_a_failed_job_is_done_when_it_is_tried_again_and_its_history_goes_on(
    store: JobStore, owner: int, working: Working
) -> None:
    job = await submit(store, owner, max_attempts=2)
    broken = True

    async def mended_later(_: Attempt) -> JobResult:
        if broken:
            raise RuntimeError("not yet")
        return JobResult({"done": True})

    async with working({"demo": mended_later}):
        first = await follow(store, job)
        assert types(first) == ["queued", "started", "retrying", "started", "failed"]
        broken = False
        again = await store.retry(job.id, owner)
        assert (again.state, again.attempt, again.error, again.finished_at) == ("queued", 0, None, None)
        later = [event async for event in store.follow(job.id, owner, after=first[-1].id)]
        assert types(later) == ["queued", "started", "succeeded"]
        assert later[1].data == {"attempt": 1}
        assert types(await follow(store, job)) == types(first) + types(later)
    ended = await store.get(job.id, owner)
    assert (ended.state, ended.attempt, ended.result) == ("succeeded", 1, {"done": True})
    totals = (await store.statistics()).ended
    assert (totals["demo", "failed"].count, totals["demo", "succeeded"].count) == (1, 1)


async def test_a_job_tried_again_before_its_cancelled_handler_has_stopped_is_done_once(
    store: JobStore, owner: int, working: Working
) -> None:
    job = await submit(store, owner)
    begun, lingering, leave, finish = (asyncio.Event() for _ in range(4))
    heard: list[str] = []

    async def stubborn(attempt: Attempt) -> JobResult:
        if begun.is_set():
            await finish.wait()
            return JobResult({"by": "the second"})
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lingering.set()
            await leave.wait()
            try:
                while True:
                    await attempt.progress("too late", 0.9)
                    await asyncio.sleep(0.01)
            except FenceLost:
                heard.append("fence lost")
        return JobResult({"by": "the first"})

    # The other worker takes over what has no heartbeat.
    lease = {"stalled_after": 0.5}
    async with working({"demo": stubborn}, concurrency=2, **lease), working({"another": done}, **lease):
        await begun.wait()
        await store.cancel(job.id, owner)
        await store.retry(job.id, owner)
        await lingering.wait()
        events = store.follow(job.id, owner)
        assert [(await anext(events)).type for _ in range(5)] == ["queued", "started", "cancelled", "queued", "started"]
        leave.set()
        # Longer than a lease: the end of the first attempt must not take the second one's heartbeat with it.
        await asyncio.sleep(1.0)
        finish.set()
        assert [event.type async for event in events] == ["succeeded"]
    ended = await store.get(job.id, owner)
    assert (ended.attempt, ended.result) == (1, {"by": "the second"})
    assert heard == ["fence lost"]
