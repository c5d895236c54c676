"""Batches of many callers' work, over an engine that waits to be told when to go on."""

import asyncio
import random
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from typing import Any

import pytest
import torch

from deployments.batch_bound import GROW_AFTER
from deployments.batching import Batcher
from deployments.errors import QueueFull
from models.errors import GpuFault

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

Work = Coroutine[Any, Any, list[int]]


FOR_EVER = 3600.0


class Engine:
    """Doubles numbers; a batch stays inside until it is released. Batches with a bad number fail."""

    def __init__(self, *, held: bool = True) -> None:
        self.held = held
        self.batches: list[list[int]] = []
        self.bad: set[int] = set()
        self.most_inside = 0
        self._inside: list[asyncio.Event] = []

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        leave = asyncio.Event()
        self._inside.append(leave)
        self.most_inside = max(self.most_inside, len(self._inside))
        if self.held:
            await leave.wait()
        self._inside.remove(leave)
        if bad := self.bad.intersection(items):
            raise ValueError(f"bad: {sorted(bad)}")
        return [2 * item for item in items]

    async def release(self) -> None:
        """Let the batch that came first out, and everybody take note."""
        self._inside[0].set()
        await settled()

    def open(self) -> None:
        """Let all batches pass, now and from now on."""
        self.held = False
        for leave in self._inside:
            leave.set()


async def settled() -> None:
    """Let every callback that is due run; timers stand still."""
    for _ in range(20):
        await asyncio.sleep(0)


def batcher(engine: Engine, **options: Any) -> Batcher[int, int]:
    limits = {"max_cost": 4, "max_wait": 0.0, "concurrency": 1, "max_queued": 1000}
    return Batcher(engine, **{**limits, **options})


def doubled(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


async def started(*work: Work) -> list["asyncio.Task[list[int]]"]:
    tasks = [asyncio.create_task(each) for each in work]
    await settled()
    return tasks


async def test_an_idle_engine_is_given_at_once_what_comes_together() -> None:
    engine = Engine(held=False)
    batches = batcher(engine, max_wait=FOR_EVER)
    async with asyncio.timeout(10):
        one, two = await asyncio.gather(batches.submit([1]), batches.submit([2, 3]))
    assert (one, two) == ([2], [4, 6])
    assert engine.batches == [[1, 2, 3]]


async def test_what_gathers_while_the_engine_works_goes_when_it_frees() -> None:
    engine = Engine()
    batches = batcher(engine)
    await started(batches.submit([1]), batches.submit([2, 3]))
    tasks = await started(batches.submit([4]), batches.submit([5]), batches.submit([6]))
    assert engine.batches == [[1, 2, 3]]
    await engine.release()
    assert engine.batches == [[1, 2, 3], [4, 5, 6]]
    await engine.release()
    assert [task.result() for task in tasks] == [[8], [10], [12]]


async def test_a_call_larger_than_a_batch_is_split_and_joined_in_order() -> None:
    engine = Engine(held=False)
    items = list(range(10))
    assert await batcher(engine).submit(items) == doubled(items)
    assert engine.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_batches_are_filled_across_calls() -> None:
    engine = Engine()
    batches = batcher(engine)
    await started(batches.submit([0]))
    tasks = await started(batches.submit([1, 2, 3]), batches.submit([4, 5, 6]), batches.submit([7, 8]))
    engine.open()
    await asyncio.gather(*tasks)
    assert engine.batches == [[0], [7, 8, 1, 2], [3, 4, 5, 6]]


async def test_costs_bound_a_batch_and_what_exceeds_them_travels_alone() -> None:
    engine = Engine()
    batches = batcher(engine, max_cost=100)
    await started(batches.submit([0]))
    items = [60, 30, 50, 20, 150, 10]
    (task,) = await started(batches.submit(items, cost=float))
    engine.open()
    assert await task == doubled(items)
    assert engine.batches == [[0], [60, 30], [50, 20], [150], [10]]


async def test_a_small_call_passes_one_that_would_keep_the_engine_busy_for_long() -> None:
    engine = Engine()
    batches = batcher(engine)
    large, small = await started(batches.submit(list(range(900)), caller="a"), batches.submit([1000], caller="b"))
    while not small.done():
        await engine.release()
    assert len(engine.batches) <= 3
    assert not large.done()
    engine.open()
    assert await large == doubled(range(900))


async def test_many_calls_of_one_caller_leave_others_an_equal_share() -> None:
    engine = Engine()
    batches = batcher(engine)
    await started(batches.submit([0], caller="first"))
    greedy = [batches.submit([1] * 4, caller="greedy") for _ in range(50)]
    modest = [batches.submit([2] * 4, caller="modest") for _ in range(5)]
    tasks = await started(*greedy, *modest)
    engine.open()
    await asyncio.gather(*tasks)
    assert sum(batch.count(2) for batch in engine.batches[1:11]) == 20


async def test_a_large_call_is_not_passed_for_ever() -> None:
    engine = Engine()
    batches = batcher(engine)
    await started(batches.submit([0]))
    (large,) = await started(batches.submit([1] * 12, caller="large"))
    for round_ in range(30):
        await started(batches.submit([2] * 4, caller=("small", round_)))
        await engine.release()
        if large.done():
            break
    assert large.done()
    engine.open()


async def test_calls_of_one_caller_are_served_in_their_order() -> None:
    engine = Engine()
    batches = batcher(engine)
    await started(batches.submit([0]))
    tasks = await started(*(batches.submit(items, caller="one") for items in ([1] * 9, [2], [3] * 3)))
    engine.open()
    await asyncio.gather(*tasks)
    assert [item for batch in engine.batches for item in batch] == [0, *[1] * 9, 2, *[3] * 3]


async def test_a_bad_item_fails_its_own_call_alone() -> None:
    engine = Engine(held=False)
    engine.bad = {2}
    batches = batcher(engine, max_cost=10)
    good, bad, other = await asyncio.gather(
        batches.submit([1]), batches.submit([2, 3]), batches.submit([4]), return_exceptions=True
    )
    assert (good, other) == ([2], [8])
    assert isinstance(bad, ValueError)
    assert sorted(engine.batches[0]) == [1, 2, 3, 4]


async def test_a_call_that_failed_is_not_worked_on_any_more() -> None:
    engine = Engine(held=False)
    engine.bad = {1}
    batches = batcher(engine)
    with pytest.raises(ValueError, match="bad"):
        await batches.submit([0, 1, 2, 3, *range(4, 40)])
    assert await batches.submit([50]) == [100]
    assert engine.batches == [[0, 1, 2, 3], [50]]


async def test_an_engine_that_returns_too_little_is_an_error() -> None:
    async def short(items: Sequence[int]) -> list[int]:
        return list(items[:-1])

    batches: Batcher[int, int] = Batcher(short, max_cost=4, max_wait=0, concurrency=1, max_queued=10)
    with pytest.raises(RuntimeError, match="2 gave 1"):
        await batches.submit([1, 2])


async def test_a_caller_that_leaves_takes_along_what_has_not_started() -> None:
    engine = Engine()
    batches = batcher(engine)
    (leaving,) = await started(batches.submit([1] * 8, caller="leaving"))
    (staying,) = await started(batches.submit([2, 3], caller="staying"))
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    engine.open()
    assert await staying == [4, 6]
    assert engine.batches == [[1, 1, 1, 1], [2, 3]]


async def test_what_a_caller_left_behind_counts_no_more_against_the_queue() -> None:
    engine = Engine()
    batches = batcher(engine, max_queued=10)
    await started(batches.submit([0]))
    (leaving,) = await started(batches.submit([1] * 10))
    leaving.cancel()
    await settled()
    (staying,) = await started(batches.submit([2] * 10))
    engine.open()
    assert await staying == [4] * 10


async def test_a_full_queue_refuses_more() -> None:
    engine = Engine()
    batches = batcher(engine, max_queued=5)
    await started(batches.submit([0]))
    (waiting,) = await started(batches.submit([1] * 4))
    with pytest.raises(QueueFull, match="4 are waiting, of at most 5"):
        await batches.submit([2, 3])
    (fits,) = await started(batches.submit([4]))
    engine.open()
    assert list(await asyncio.gather(waiting, fits)) == [[2] * 4, [8]]


async def test_no_more_batches_are_under_way_than_allowed() -> None:
    engine = Engine()
    batches = batcher(engine, concurrency=2)
    tasks = await started(*(batches.submit([number] * 4) for number in range(6)))
    assert len(engine.batches) == 2
    engine.open()
    await asyncio.gather(*tasks)
    assert engine.most_inside == 2


async def test_beside_a_running_batch_one_that_is_not_full_waits_but_a_full_one_goes() -> None:
    engine = Engine()
    batches = batcher(engine, concurrency=2, max_wait=FOR_EVER)
    await started(batches.submit([0] * 4))
    tasks = await started(batches.submit([1]), batches.submit([2]))
    assert engine.batches == [[0] * 4]
    await started(batches.submit([3, 4]))
    assert engine.batches == [[0] * 4, [1, 2, 3, 4]]
    engine.open()
    await asyncio.gather(*tasks)


async def test_the_wait_beside_a_running_batch_ends() -> None:
    engine = Engine()
    batches = batcher(engine, concurrency=2, max_wait=0.001)
    await started(batches.submit([0] * 4))
    engine.held = False
    (task,) = await started(batches.submit([1]))
    async with asyncio.timeout(10):
        assert await task == [2]
    engine.open()


async def test_callers_just_answered_are_given_a_moment_to_come_back() -> None:
    engine = Engine()
    batches = batcher(engine, max_cost=8, max_wait=FOR_EVER)
    await started(*(batches.submit([number]) for number in (1, 2, 3)))
    await started(batches.submit([4]))
    await engine.release()
    # Three were answered: the fourth waits for them.
    assert engine.batches == [[1, 2, 3]]
    await started(batches.submit([1]), batches.submit([2]))
    assert engine.batches == [[1, 2, 3]]
    await started(batches.submit([3]))
    assert [sorted(batch) for batch in engine.batches] == [[1, 2, 3], [1, 2, 3, 4]]
    engine.open()


async def test_callers_that_do_not_come_back_are_not_waited_for_long() -> None:
    engine = Engine()
    batches = batcher(engine, max_wait=0.001)
    await started(batches.submit([1]))
    (task,) = await started(batches.submit([2]))
    engine.open()
    async with asyncio.timeout(10):
        assert await task == [4]


async def test_the_rest_of_a_split_call_waits_for_nobody() -> None:
    engine = Engine(held=False)
    async with asyncio.timeout(10):
        assert await batcher(engine, max_wait=FOR_EVER).submit([1] * 6) == [2] * 6
    assert engine.batches == [[1] * 4, [1] * 2]


async def test_no_items_are_no_work() -> None:
    engine = Engine()
    assert await batcher(engine).submit([]) == []
    assert engine.batches == []


async def test_a_batch_runs_in_no_callers_context() -> None:
    correlation: ContextVar[str] = ContextVar("correlation", default="none")
    seen: list[str] = []

    async def look(items: Sequence[int]) -> list[int]:
        seen.append(correlation.get())
        return list(items)

    batches: Batcher[int, int] = Batcher(look, max_cost=4, max_wait=0, concurrency=1, max_queued=10)
    correlation.set("mine")
    await batches.submit([1] * 6)
    assert seen == ["none", "none"]


class Told:
    """Keeps what a batcher's metrics are told."""

    def __init__(self) -> None:
        self.sizes: list[tuple[float, float]] = []
        self.waits: list[float] = []

    def batch(self, size: float, *, queued: float) -> None:
        self.sizes.append((size, queued))

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)


async def test_batches_and_waits_are_counted() -> None:
    told: Any = Told()
    batches = batcher(Engine(held=False), metrics=told)
    await batches.submit([1] * 6)
    assert told.sizes == [(4, 2), (2, 0)]
    assert len(told.waits) == 1
    assert told.waits[0] >= 0


async def test_random_work_is_all_done_and_joined_right() -> None:
    chance = random.Random(7)
    engine = Engine(held=False)
    batches = batcher(engine, max_cost=5, concurrency=2, max_wait=0.0001, max_queued=10_000)

    async def call(number: int) -> bool:
        items = [chance.randrange(10_000) for _ in range(chance.randrange(12))]
        for _ in range(chance.randrange(30)):
            await asyncio.sleep(0)
        return await batches.submit(items, caller=number % 7) == doubled(items)

    async with asyncio.timeout(30):
        assert all(await asyncio.gather(*(call(number) for number in range(300))))
    assert max(map(len, engine.batches)) <= 5


class Small(Engine):
    """Has room for so many items at once; one of a thousand or more never fits."""

    def __init__(self, room: int) -> None:
        super().__init__(held=False)
        self.room = room

    async def __call__(self, items: Sequence[int]) -> list[int]:
        done = await super().__call__(items)
        if len(items) > self.room or max(items) >= 1000:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return done


async def test_a_batch_without_room_is_run_in_halves_until_it_fits() -> None:
    engine = Small(room=3)
    batches = batcher(engine, max_cost=16)
    one, two = await asyncio.gather(batches.submit([1, 2, 3, 4, 5]), batches.submit([6, 7, 8]))
    assert (one, two) == (doubled([1, 2, 3, 4, 5]), doubled([6, 7, 8]))
    assert [len(batch) for batch in engine.batches] == [8, 4, 2, 2, 4, 2, 2]


async def test_an_item_without_room_ends_its_own_call_alone() -> None:
    engine = Small(room=8)
    batches = batcher(engine, max_cost=16)
    good, bad, other = await asyncio.gather(
        batches.submit([1, 2]), batches.submit([3, 1000, 4]), batches.submit([5]), return_exceptions=True
    )
    assert (good, other) == (doubled([1, 2]), doubled([5]))
    assert isinstance(bad, torch.OutOfMemoryError)


async def test_after_a_want_of_memory_batches_stay_small_until_enough_of_them_fitted() -> None:
    engine = Small(room=4)
    batches = batcher(engine, max_cost=16)
    await batches.submit(list(range(16)))
    assert batches.fitting_cost == 4
    engine.batches.clear()
    await batches.submit(list(range(4 * (GROW_AFTER - 2))))
    assert {len(batch) for batch in engine.batches} == {4}
    assert (batches.fitting_cost, batches.max_cost) == (6, 16)
    engine.room = 16
    for _round in range(6):
        await batches.submit(list(range(16 * GROW_AFTER)))
    assert batches.fitting_cost == 16


async def test_a_new_largest_batch_is_taken_at_once() -> None:
    engine = Engine(held=False)
    batches = batcher(engine, max_cost=4)
    batches.max_cost = 2
    await batches.submit([1, 2, 3, 4])
    assert engine.batches == [[1, 2], [3, 4]]


async def test_nothing_is_tried_again_on_a_gpu_that_is_lost() -> None:
    calls = 0

    async def lost(items: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        raise GpuFault("lost")

    batches: Batcher[int, int] = Batcher(lost, max_cost=8, max_wait=0, concurrency=1, max_queued=10)
    failed = await asyncio.gather(batches.submit([1, 2]), batches.submit([3]), return_exceptions=True)
    assert [type(error) for error in failed] == [GpuFault, GpuFault]
    assert calls == 1
