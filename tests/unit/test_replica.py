"""The adapter that all roles share, over a fake engine."""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import ClassVar, Literal

import pytest
import structlog
import torch
from pydantic import Field, ValidationError
from structlog.testing import capture_logs

from deployments.replica import STUCK_AFTER_S, EngineReplica
from models.errors import GpuFault, OutOfGpuMemory
from models.gpu_share import GpuShare, ShareExceeded, retry_once
from models.settings import LIVE, Settings

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

GIBIBYTE = 1024**3


class FakeSettings(Settings):
    engine: Literal["fake"] = "fake"
    threshold: float = Field(0.5, ge=0, le=1)
    speed: int = 1
    pace: int = Field(1, json_schema_extra=LIVE)


class FakeEngine:
    def __init__(self, settings: FakeSettings) -> None:
        self.settings = settings
        self.broken = False
        self.warmed = 0

    def adjust(self, settings: FakeSettings) -> None:
        if settings.pace == 13:
            raise ValueError("no such pace")
        self.settings = settings


def warm(engine: FakeEngine) -> None:
    engine.warmed += 1
    if engine.broken:
        raise RuntimeError("the engine says nothing")


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
    with pytest.raises(RuntimeError, match="says nothing"):
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
    with pytest.raises(RuntimeError, match="says nothing"):
        await made.call(warm, made.engine)
    go = threading.Event()
    calling = asyncio.create_task(made.call(go.wait, 30))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="says nothing"):
        await made.check_health()
    made.engine.broken = False
    await made.check_health()
    go.set()
    await calling


async def test_a_working_engine_takes_live_settings() -> None:
    made = replica()
    before = made.engine
    await made.reconfigure({"pace": 7})
    assert made.engine is before
    assert (before.settings.pace, (await made.describe())["pace"]) == (7, 7)
    await made.reconfigure({})
    assert before.settings.pace == 1


async def test_a_live_value_that_the_engine_can_not_use_changes_nothing() -> None:
    made = replica()
    with pytest.raises(ValueError, match="no such pace"):
        await made.reconfigure({"pace": 13})
    assert (made.engine.settings.pace, (await made.describe())["pace"]) == (1, 1)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A quarter of a GPU of 24 GiB, of which the process holds 1; what is done to it, in order."""
    done: list[str] = []

    def take(gpus: float | None, models: int) -> GpuShare:
        done.append(f"share {gpus} of {models}")
        return GpuShare(0.25, 24 * GIBIBYTE, models)

    monkeypatch.setattr("deployments.replica.assigned_gpus", lambda: 0.25)
    monkeypatch.setattr("deployments.replica.take_share", take)
    monkeypatch.setattr("deployments.replica.check_fit", lambda: done.append("fit"))
    monkeypatch.setattr("deployments.replica.measure", lambda: GIBIBYTE)
    monkeypatch.setattr("deployments.replica.free_memory", lambda: done.append("free"))
    return done


async def test_the_share_is_set_before_the_engine_is_built_and_checked_once_it_is_warm(gpu: list[str]) -> None:
    def build(settings: FakeSettings) -> FakeEngine:
        gpu.append("build")
        return FakeEngine(settings)

    def warm_up(engine: FakeEngine) -> None:
        gpu.append("warm")

    EngineReplica("fake", FakeSettings(), build, warm_up, 1, models=3)
    assert gpu == ["share 0.25 of 3", "build", "warm", "fit"]


async def test_an_engine_that_does_not_fit_into_its_share_does_not_start(gpu: list[str]) -> None:
    def build(settings: FakeSettings) -> FakeEngine:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB.")

    with pytest.raises(ShareExceeded, match=r"as it starts.*8\.00 GiB"):
        EngineReplica("fake", FakeSettings(), build, warm, 1)


async def test_on_a_gpu_no_second_engine_is_built_beside_the_first(gpu: list[str]) -> None:
    made = replica()
    before = made.engine
    with pytest.raises(ValueError, match=r"threshold: a new value needs a new engine.*args and deploy again"):
        await made.reconfigure({"threshold": 0.7, "pace": 7})
    assert (made.engine, before.settings.pace) == (before, 1)
    await made.reconfigure({"pace": 7})
    assert (made.engine, before.settings.pace) == (before, 7)


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory.")


async def test_a_call_that_runs_out_of_memory_fails_alone_and_leaves_memory_free(gpu: list[str]) -> None:
    made = replica()
    with pytest.raises(OutOfGpuMemory) as failed:
        await made.call(out_of_memory)
    assert gpu[-1] == "free"
    assert failed.value.__context__ is None
    made._last_success -= 3600
    await made.check_health()
    assert await made.call(lambda: 7) == 7


async def test_a_process_that_lost_its_gpu_stays_unhealthy(gpu: list[str]) -> None:
    made = replica()

    def lost() -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(GpuFault):
        await made.call(lost)
    assert await made.call(lambda: 7) == 7
    for _check in range(2):
        with pytest.raises(RuntimeError, match="lost its GPU: CUDA error: an illegal memory access"):
            await made.check_health()


class Gauge:
    """A metric that remembers."""

    known: ClassVar[dict[str, float]] = {}

    def __init__(self, name: str, *_description: str, **_options: object) -> None:
        self.name = name

    def set(self, value: float, tags: dict[str, str]) -> None:
        assert tags == {"role": "fake", "engine": "fake"}
        self.known[self.name] = value

    def inc(self, value: float, tags: dict[str, str]) -> None:
        self.set(self.known.get(self.name, 0) + value, tags)


async def test_health_checks_show_the_memory_and_its_bound(gpu: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("Gauge", "Counter"):
        monkeypatch.setattr(f"deployments.metrics.{kind}", Gauge)
    monkeypatch.setattr(Gauge, "known", {})
    made = replica()
    with pytest.raises(OutOfGpuMemory):
        await made.call(retry_once, out_of_memory)
    with capture_logs() as logs:
        await made.check_health()
        monkeypatch.setattr("deployments.replica.measure", lambda: 7 * GIBIBYTE)
        await made.check_health()
        await made.check_health()
    assert Gauge.known["voicegraph_gpu_memory_bytes"] == 7 * GIBIBYTE
    assert Gauge.known["voicegraph_gpu_share_bytes"] == 6 * GIBIBYTE
    assert Gauge.known["voicegraph_gpu_out_of_memory_total"] == 2
    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert len(warnings) == 1 and "num_gpus to 0.3" in warnings[0]["reason"]


async def test_a_replica_without_a_gpu_sees_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("deployments.replica.assigned_gpus", lambda: 0.0)
    made = replica()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    await made.reconfigure({"threshold": 0.7})
    assert made.engine.settings.threshold == 0.7


async def test_the_correlation_id_reaches_the_engines_threads() -> None:
    made = replica()
    with made.serving(16_000, "cid-9"):
        seen = await made.call(structlog.contextvars.get_contextvars)
    assert seen["correlation_id"] == "cid-9"
