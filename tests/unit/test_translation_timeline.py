"""Places of translated speech in a recording of the original's length."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graphs.translation.timeline import Placed, TimeLine

pytestmark = pytest.mark.unit

RATE = 100


def speech(seconds: float) -> NDArray[np.float32]:
    return np.ones(round(seconds * RATE), np.float32)


def test_speech_is_at_its_time_or_right_after_what_is_in_its_way() -> None:
    times = TimeLine(RATE)
    pieces: list[NDArray[np.float32]] = []
    for start, seconds, speed, room, expected in (
        (1.0, 5, 1.0, 3.0, Placed(1.0, 6.0, 1.0)),
        (4.0, 1, 1.3, 0.0, Placed(6.0, 7.0, 1.3)),
        (8.0, 1, 1.0, 3.0, Placed(8.0, 9.0, 1.0)),
    ):
        assert times.room(start, max(start, times.end) + room) == room
        placed, grown = times.place(start, speech(seconds), speed)
        assert placed == expected
        pieces += grown
    told, grown = times.finish(40.0)
    pieces += grown
    audio = np.concatenate(pieces)
    assert len(audio) == 40 * RATE
    assert np.flatnonzero(audio).tolist() == [*range(100, 700), *range(800, 900)]
    assert max(map(len, pieces)) == 10 * RATE
    # The greatest delay counts, not the last.
    assert (told.duration, told.spoken, told.hurried, told.failed, told.max_drift) == (40.0, 3, 1, 0, 2.0)


def test_speech_that_is_late_has_less_room() -> None:
    times = TimeLine(RATE)
    times.place(0.0, speech(5), 1.0)
    assert times.room(4.0, 7.0) == 2.0
    assert times.room(3.0, 4.0) == -1.0


def test_without_times_speech_follows_after_a_short_pause() -> None:
    times = TimeLine(RATE, keep_times=False)
    assert times.place(5.0, speech(1), 1.0)[0] == Placed(0.0, 1.0, 1.0)
    assert times.place(50.0, speech(1), 1.0)[0] == Placed(1.25, 2.25, 1.0)
    told, grown = times.finish(60.0)
    assert (told.duration, told.max_drift, list(grown)) == (2.25, 0.0, [])


def test_one_failure_is_counted_and_nothing_but_failures_is_an_error() -> None:
    times = TimeLine(RATE)
    times.fail(ValueError("no voice"))
    with pytest.raises(ValueError, match="no voice"):
        times.finish(1.0)
    times.place(0.0, speech(1), 1.0)
    assert times.finish(1.0)[0].failed == 1
