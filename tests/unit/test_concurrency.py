"""Concurrent stages as one stream, and streams read for their result."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest
from anyio import wait_all_tasks_blocked
from structlog.testing import capture_logs

from graphs.common.concurrency import merged
from graphs.common.progress import Diarized, Progress, result_of
from models.diarization import SpeakerTurn

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


@dataclass
class Stage:
    """Yields numbers; ends with an error where it has one, waits for ever with ``endless``."""

    items: range = range(3)
    error: BaseException | None = None
    error_of_closing: Exception | None = None
    endless: bool = False
    yielded: list[int] = field(default_factory=list)
    closed: bool = False

    async def stream(self) -> AsyncGenerator[int, None]:
        try:
            for item in self.items:
                self.yielded.append(item)
                yield item
            if self.error is not None:
                raise self.error
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True
            if self.error_of_closing is not None:
                raise self.error_of_closing


async def test_streams_are_read_at_the_same_time_each_in_its_own_order() -> None:
    begun = asyncio.Event()

    async def waiting() -> AsyncGenerator[int, None]:
        await begun.wait()
        yield 10
        yield 11

    async def telling() -> AsyncGenerator[int, None]:
        yield 0
        begun.set()
        yield 1

    async with asyncio.timeout(10):
        items = [item async for item in merged(waiting(), telling())]
    assert sorted(items) == [0, 1, 10, 11]
    assert items.index(0) < items.index(1) and items.index(10) < items.index(11)


async def test_the_first_item_does_not_wait_for_the_second() -> None:
    stages = Stage(range(1), endless=True), Stage(range(0), endless=True)
    async with asyncio.timeout(10), aclosing(merged(*(stage.stream() for stage in stages))) as items:
        assert await anext(items) == 0


@pytest.mark.parametrize("ahead", [0, 4])
async def test_a_slow_reader_stops_the_stages_within_the_bound(ahead: int) -> None:
    fast, other = Stage(range(1000)), Stage(range(1000))
    async with aclosing(merged(fast.stream(), other.stream(), ahead=ahead)) as items:
        for taken in range(1, 5):
            await anext(items)
            await wait_all_tasks_blocked()
            assert len(fast.yielded) + len(other.yielded) <= taken + ahead + 2
    assert fast.closed and other.closed


async def test_a_stage_that_fails_stops_the_others_and_its_own_error_comes_after_its_items() -> None:
    error = ValueError("no model")
    failing, endless = Stage(range(2), error=error), Stage(range(0), endless=True)
    seen = []
    with pytest.raises(ValueError, match="no model") as raised:
        async with asyncio.timeout(10):
            async for item in merged(failing.stream(), endless.stream()):
                seen.append(item)
    assert raised.value is error
    assert seen == [0, 1]
    assert endless.closed


async def test_a_stage_that_was_cancelled_from_elsewhere_is_not_taken_for_done() -> None:
    with pytest.raises(asyncio.CancelledError):
        async for _item in merged(Stage(error=asyncio.CancelledError()).stream(), Stage().stream()):
            pass


async def test_a_reader_who_leaves_stops_the_stages_before_it_goes_on() -> None:
    stages = Stage(endless=True), Stage(range(1000))
    async with aclosing(merged(*(stage.stream() for stage in stages), ahead=1)) as items:
        async for _item in items:
            break
    assert all(stage.closed for stage in stages)


async def test_a_reader_who_is_cancelled_stops_the_stages() -> None:
    stages = Stage(range(0), endless=True), Stage(range(0), endless=True)
    reading = asyncio.ensure_future(anext(merged(*(stage.stream() for stage in stages))))
    await wait_all_tasks_blocked()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert all(stage.closed for stage in stages)


async def test_a_failure_that_no_reader_is_left_for_is_logged() -> None:
    error = ValueError("late")
    with capture_logs() as logs:
        async with aclosing(merged(Stage(endless=True, error_of_closing=error).stream())) as items:
            await anext(items)
    assert [(entry["log_level"], entry["exc_info"].exceptions) for entry in logs] == [("warning", (error,))]


async def test_the_result_is_returned_and_every_other_event_is_told_first() -> None:
    told = []

    async def events() -> AsyncGenerator[Progress | str, None]:
        yield Progress(0.5)
        yield Progress(1.0)
        yield "done"

    async def each(event: Progress | str) -> None:
        told.append(event)

    assert await result_of(events(), str, each) == "done"
    assert told == [Progress(0.5), Progress(1.0)]
    assert await result_of(events(), str) == "done"


async def test_events_without_a_result_are_a_fault() -> None:
    with pytest.raises(RuntimeError, match="without a str"):
        await result_of(Stage().stream(), str)


async def test_an_error_after_the_result_is_raised() -> None:
    with pytest.raises(ValueError, match="late"):
        await result_of(Stage(range(1), error=ValueError("late")).stream(), int)


async def test_who_fails_to_store_an_event_stops_the_graph() -> None:
    stage = Stage(range(1000))

    async def each(_event: int) -> None:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        await result_of(stage.stream(), str, each)
    assert stage.yielded == [0]
    assert stage.closed


def test_turns_are_told_to_the_millisecond() -> None:
    turns = (SpeakerTurn(0.0, 1.23456, "B"), SpeakerTurn(1.0, 2.0, "A"))
    assert Diarized(turns).as_json() == {
        "speakers": ["A", "B"],
        "turns": [{"start": 0.0, "end": 1.235, "speaker": "B"}, {"start": 1.0, "end": 2.0, "speaker": "A"}],
    }
