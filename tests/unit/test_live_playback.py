"""The estimate of what a client has heard of a reply."""

import pytest

from graphs.live.playback import Playback

pytestmark = pytest.mark.unit


class Clock:
    """Tells the time that it is set to, in seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_clauses_are_heard_one_after_the_other() -> None:
    clock = Clock()
    playback = Playback(clock)
    assert (playback.heard, playback.heard_text, playback.remaining) == (0, "", 0)
    playback.sent(1.0, "One.")
    playback.sent(1.0, "")
    playback.sent(1.5, "Two.")
    assert (playback.heard, playback.heard_text, playback.remaining) == (0, "", 3.5)
    clock.now += 1.5
    assert (playback.heard, playback.heard_text, playback.remaining) == (1.5, "One.", 2.0)
    clock.now += 1.0
    assert (playback.heard, playback.heard_text) == (2.5, "One. Two.")
    clock.now += 60.0
    assert (playback.heard, playback.heard_text, playback.remaining) == (3.5, "One. Two.", 0)


def test_a_pause_in_the_audio_counts_as_nothing_heard() -> None:
    clock = Clock()
    playback = Playback(clock)
    playback.sent(1.0, "One.")
    clock.now += 10.0
    playback.sent(2.0, "Two.")
    assert (playback.heard, playback.heard_text, playback.remaining) == (1.0, "One.", 2.0)
