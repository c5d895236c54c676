"""Recognition of utterances, and ahead of their end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from graphs.live.recognition import ActiveRecognitions, PartialCadence, UtteranceRecogniser
from models.audio import SAMPLE_RATE
from models.vad.streaming import Samples

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


def sound(seconds: float) -> Samples:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


class Asr:
    """Answers how many seconds it was given, once it may."""

    def __init__(self) -> None:
        self.given: list[float] = []
        self.begun: asyncio.Queue[float] = asyncio.Queue()
        self.may_answer = asyncio.Event()
        self.cancelled: list[float] = []

    async def hear(self, samples: Samples, _turn: int) -> str:
        seconds = len(samples) / SAMPLE_RATE
        self.given.append(seconds)
        self.begun.put_nowait(seconds)
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled.append(seconds)
            raise
        return f"{seconds:g} s"


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


Told = list[tuple[int, str]]


@asynccontextmanager
async def recognising(
    hear: Callable[[Samples, int], Awaitable[str]],
    load: ActiveRecognitions,
    told: Told,
    cadence: PartialCadence | None = None,
) -> AsyncIterator[UtteranceRecogniser[str]]:
    recogniser = UtteranceRecogniser(
        hear, load, early=True, tell=lambda turn, heard: told.append((turn, heard)), cadence=cadence
    )
    async with asyncio.timeout(10):
        yield recogniser
        await recogniser.close()


async def test_what_was_recognised_at_the_pause_is_the_utterance_and_is_not_recognised_again() -> None:
    asr, told = Asr(), Told()
    asr.may_answer.set()
    async with recognising(asr.hear, ActiveRecognitions(), told) as recogniser:
        recogniser.pause(1, sound(2))
        assert await recogniser.hear(1, sound(2)) == "2 s"
    assert asr.given == [2.0]


@pytest.mark.parametrize(("turn", "seconds"), [(1, 3.0), (2, 2.0)])
async def test_another_utterance_is_recognised_anew_and_the_early_work_is_given_up(turn: int, seconds: float) -> None:
    asr, load, told = Asr(), ActiveRecognitions(), Told()
    async with recognising(asr.hear, load, told) as recogniser:
        recogniser.pause(1, sound(2))
        await asr.begun.get()
        hearing = asyncio.create_task(recogniser.hear(turn, sound(seconds)))
        await asr.begun.get()
        assert asr.cancelled == [2.0]
        assert load.in_flight == 1
        asr.may_answer.set()
        assert await hearing == f"{seconds:g} s"
    assert told == []
    assert load.in_flight == 0


async def test_partial_transcripts_wait_for_more_speech_and_for_an_idle_replica() -> None:
    asr, load, told = Asr(), ActiveRecognitions(), Told()
    asr.may_answer.set()
    async with recognising(asr.hear, load, told, PartialCadence(Clock())) as recogniser:
        for seconds in (0.9, 1.0, 1.4, 1.5):
            with load.one():
                recogniser.speech(1, sound(seconds))
            recogniser.speech(1, sound(seconds))
            for _ in range(5):
                await asyncio.sleep(0)
    assert asr.given == [1.0, 1.5]
    assert told == [(1, "1 s"), (1, "1.5 s")]


async def test_a_pause_passes_by_partial_transcripts_of_others_and_waits_for_whole_utterances() -> None:
    asr, load, told = Asr(), ActiveRecognitions(), Told()
    async with recognising(asr.hear, load, told) as recogniser:
        with load.one():
            recogniser.pause(1, sound(1))
        with load.one(partial=True):
            recogniser.pause(1, sound(2))
            assert await asr.begun.get() == 2.0
        # Its own recognition, of a pause that was not the end, is given up and holds nothing up.
        recogniser.pause(1, sound(3))
        assert await asr.begun.get() == 3.0
    assert asr.given == [2.0, 3.0]
    assert told == []


@pytest.mark.parametrize(("took", "rests"), [(0.25, 0.25), (0.5, 0.75), (1.0, 4.0)])
def test_a_recogniser_rests_the_longer_the_more_an_utterance_would_wait_for_it(took: float, rests: float) -> None:
    clock = Clock()
    cadence = PartialCadence(clock)
    assert not cadence.due(0.9)
    assert cadence.due(1.0)
    cadence.begin(1.0)
    clock.now += took
    cadence.finish()
    clock.now += rests - 0.01
    assert not cadence.due(30.0)
    clock.now += 0.02
    assert cadence.due(30.0)


def test_a_fast_recogniser_waits_for_more_speech_and_begins_anew_with_each_utterance() -> None:
    clock = Clock()
    cadence = PartialCadence(clock)
    cadence.begin(1.0)
    clock.now += 0.01
    cadence.finish()
    clock.now += 0.4
    assert not cadence.due(1.4)
    clock.now += 0.1
    assert cadence.due(1.5)
    cadence.begin(8.0)
    cadence.finish()
    cadence.restart()
    assert cadence.due(1.0)
