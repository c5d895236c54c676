"""The adapter that all roles share, over a fake engine."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog
from pydantic import Field, ValidationError

from deployments.replica import STUCK_AFTER_S, EngineReplica
from models.settings import Settings

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


class FakeSettings(Settings):
    engine: Literal["fake"] = "fake"
    threshold: float = Field(0.5, ge=0, le=1)
    speed: int = 1


class FakeEngine:
    def __init__(self, settings: FakeSettings) -> None:
        self.settings = settings
        self.broken = False
        self.warmed = 0


def warm(engine: FakeEngine) -> None:
    engine.warmed += 1
    if engine.broken:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def replica(concurrency: int = 1) -> EngineReplica[FakeEngine]:
    return EngineReplica("fake", FakeSettings(speed=2), FakeEngine, warm, concurrency)


async def test_the_engine_is_warm_before_the_replica_serves() -> None:
    assert replica().engine.warmed == 1


async def test_new_settings_replace_the_engine_by_a_warm_one() -> None:
    made = replica()
    before = made.engine
    await made.reconfigure({"threshold": 0.7})
    assert made.engine is not before
    assert made.engine.settings == FakeSettings(threshold=0.7, speed=2)
    assert made.engine.warmed == 1
    assert (await made.describe())["threshold"] == 0.7


async def test_settings_left_out_return_to_the_declared_ones() -> None:
    made = replica()
    await made.reconfigure({"threshold": 0.7})
    await made.reconfigure({"speed": 3})
    assert made.engine.settings == FakeSettings(threshold=0.5, speed=3)


async def test_the_same_settings_keep_the_engine() -> None:
    made = replica()
    before = made.engine
    await made.reconfigure({})
    assert made.engine is before


@pytest.mark.parametrize("wrong", [{"treshold": 0.7}, {"threshold": 2}])
async def test_wrong_settings_are_refused_and_the_engine_stays(wrong: dict[str, object]) -> None:
    made = replica()
    before = made.engine
    with pytest.raises(ValidationError):
        await made.reconfigure(wrong)
    assert made.engine is before


async def test_health_is_the_models_own_once_its_last_success_is_old() -> None:
    made = replica()
    made.engine.broken = True
    await made.check_health()  # a success is recent: the model is left in peace
    made._last_success -= 3600
    with pytest.raises(RuntimeError, match="CUDA"):
        await made.check_health()
    made.engine.broken = False
    await made.check_health()


async def test_no_more_calls_run_at_once_than_allowed() -> None:
    made = replica(concurrency=2)
    running, most = 0, 0
    lock, go = threading.Lock(), threading.Event()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                go.set()
        go.wait(10)
        with lock:
            running -= 1

    await asyncio.gather(*(made.call(work) for _ in range(6)))
    assert most == 2


async def test_a_generator_is_read_step_by_step_and_closed_when_its_reader_leaves() -> None:
    made = replica()
    steps: list[str] = []

    def generate() -> Iterator[int]:
        try:
            for number in range(100):
                steps.append(f"made {number}")
                yield number
        finally:
            steps.append("closed")

    items = made.iterate(generate)
    assert [await anext(items), await anext(items)] == [0, 1]
    await items.aclose()  # type: ignore[attr-defined]
    assert steps == ["made 0", "made 1", "closed"]


async def test_a_reader_that_leaves_during_a_step_leaves_nothing_running() -> None:
    made = replica(concurrency=2)
    stepping, go, closed = threading.Event(), threading.Event(), threading.Event()

    def generate() -> Iterator[int]:
        try:
            stepping.set()
            go.wait(10)
            yield 1
        finally:
            closed.set()

    async def read() -> None:
        async for _number in made.iterate(generate):
            pass

    reading = asyncio.create_task(read())
    await asyncio.to_thread(stepping.wait, 10)
    reading.cancel()
    await asyncio.sleep(0)
    assert not closed.is_set()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(closed.wait, 10)


async def test_an_engine_that_never_comes_back_is_unhealthy() -> None:
    made = replica()
    go = threading.Event()
    calling = asyncio.create_task(made.call(go.wait, 30))
    await asyncio.sleep(0)
    await made.check_health()
    made._last_movement -= STUCK_AFTER_S + 1
    with pytest.raises(RuntimeError, match="stuck"):
        await made.check_health()
    go.set()
    await calling
    await made.check_health()


async def test_an_engine_that_only_fails_is_unhealthy_however_busy_it_is() -> None:
    made = replica(concurrency=2)
    made.engine.broken = True
    made._last_success -= 3600
    with pytest.raises(RuntimeError, match="CUDA"):
        await made.call(warm, made.engine)
    go = threading.Event()
    calling = asyncio.create_task(made.call(go.wait, 30))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="CUDA"):
        await made.check_health()
    made.engine.broken = False
    await made.check_health()
    go.set()
    await calling


async def test_settings_that_the_engine_is_not_made_from_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replica()
    before = made.engine
    monkeypatch.setattr(made, "engine_independent", frozenset({"threshold"}))
    await made.reconfigure({"threshold": 0.7})
    assert made.engine is before
    assert (await made.describe())["threshold"] == 0.7
    await made.reconfigure({"threshold": 0.7, "speed": 9})
    assert made.engine is not before


async def test_the_correlation_id_reaches_the_engines_threads() -> None:
    made = replica()
    with made.serving(16_000, "cid-9"):
        seen = await made.call(structlog.contextvars.get_contextvars)
    assert seen["correlation_id"] == "cid-9"
