"""Live speech detection: the same probabilities as over the whole recording, and utterances from them."""

import io

import numpy as np
import pytest

from models.audio import decode
from models.samples import DIALOGUE
from models.spans import Span
from models.vad import SileroVad
from models.vad.silero import FRAME, SAMPLE_RATE
from models.vad.streaming import (
    Endpointer,
    EndpointSettings,
    Samples,
    SpeechEnded,
    SpeechEvent,
    SpeechPaused,
    SpeechStarted,
    StreamingVad,
)

pytestmark = pytest.mark.unit

SECONDS = FRAME / SAMPLE_RATE


class ByLoudness:
    """A frame's probability is its first sample."""

    def __init__(self) -> None:
        self.rest = np.zeros(0, np.float32)

    def push(self, samples: Samples) -> Samples:
        samples = np.concatenate((self.rest, samples))
        count = len(samples) // FRAME
        self.rest = samples[count * FRAME :]
        return samples[: count * FRAME : FRAME]


SETTINGS = EndpointSettings(
    min_speech=2 * SECONDS,
    max_gap=2 * SECONDS,
    early_pause=2 * SECONDS,
    pause=4 * SECONDS,
    pre_roll=3 * SECONDS,
    pad=SECONDS,
)


def at(frame: int) -> float:
    return frame * FRAME / SAMPLE_RATE


def sound(*frames: float) -> Samples:
    return np.repeat(np.array(frames, np.float32), FRAME)


def heard(samples: Samples, size: int = FRAME, settings: EndpointSettings = SETTINGS) -> list[SpeechEvent]:
    endpointer = Endpointer(ByLoudness(), settings)
    return [event for first in range(0, len(samples), size) for event in endpointer.push(samples[first : first + size])]


def ends(events: list[SpeechEvent]) -> list[SpeechEnded]:
    return [event for event in events if isinstance(event, SpeechEnded)]


@pytest.mark.parametrize("size", [100, 512, 1600, 30_000])
def test_a_stream_gets_the_probabilities_of_the_whole_recording(size: int) -> None:
    pcm = decode(io.BytesIO(DIALOGUE.read_bytes()))[: 12 * SAMPLE_RATE]
    vad = SileroVad()
    stream = StreamingVad(vad)
    pieces = [stream.push(pcm[first : first + size]) for first in range(0, len(pcm), size)]
    whole = vad.probabilities(pcm)[: len(pcm) // FRAME]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-4)


def test_streams_that_share_a_network_do_not_hear_each_other() -> None:
    pcm = decode(io.BytesIO(DIALOGUE.read_bytes()))[: 4 * SAMPLE_RATE]
    vad = SileroVad()
    one, other = StreamingVad(vad), StreamingVad(vad)
    together = []
    for first in range(0, len(pcm), 1024):
        together.append(one.push(pcm[first : first + 1024]))
        other.push(np.zeros(1024, np.float32))
    np.testing.assert_allclose(np.concatenate(together), vad.probabilities(pcm)[: len(pcm) // FRAME], atol=1e-4)


@pytest.mark.parametrize("size", [FRAME, 100, 20 * FRAME])
def test_an_utterance_begins_pauses_and_ends_with_what_lies_around_it(size: int) -> None:
    samples = sound(*[0] * 5, *[1] * 4, *[0] * 6)
    started, paused, ended = heard(samples, size)
    assert started == SpeechStarted(5 * SECONDS)
    assert isinstance(paused, SpeechPaused)
    assert isinstance(ended, SpeechEnded)
    assert ended.span == paused.span == Span(at(2), at(10))
    np.testing.assert_array_equal(ended.samples, samples[2 * FRAME : 10 * FRAME])
    np.testing.assert_array_equal(paused.samples, ended.samples)
    assert not ended.forced


def test_a_click_is_no_utterance() -> None:
    assert heard(sound(0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0)) == []


def test_a_pause_within_the_speech_does_not_end_it_and_is_told_each_time() -> None:
    events = heard(sound(1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0))
    assert [type(event) for event in events] == [SpeechStarted, SpeechPaused, SpeechPaused, SpeechEnded]
    assert ends(events)[0].span == Span(at(0), at(8))


def test_a_short_gap_in_the_speech_is_not_voiced_before_it_is_a_pause() -> None:
    endpointer = Endpointer(ByLoudness(), SETTINGS)
    voiced = []
    for frame in (0, 1, 1, 0, 1):
        endpointer.push(sound(frame))
        voiced.append(endpointer.voiced)
    assert voiced == [False, True, True, False, True]
    assert endpointer.speaking


def test_speech_goes_on_a_little_below_the_threshold_where_it_began() -> None:
    assert len(ends(heard(sound(0.6, 0.6, 0.4, 0.4, 0.4, 0.4, 0.4)))) == 0
    assert len(ends(heard(sound(0.6, 0.6, 0.3, 0.3, 0.3, 0.3, 0.3)))) == 1
    assert heard(sound(0.4, 0.4, 0.4, 0.4)) == []


def test_the_next_utterance_takes_nothing_of_the_one_before() -> None:
    first, second = ends(heard(sound(1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0)))
    assert first.span == Span(at(0), at(3))
    assert second.span == Span(at(3), at(9))


def test_speech_without_an_end_is_cut_where_it_is_least_likely_and_nothing_is_lost() -> None:
    frames = [1.0] * 100
    frames[25], frames[58] = 0.6, 0.7
    settings = SETTINGS.model_copy(update={"max_utterance": 1.0, "cut_search": 10 * SECONDS})
    samples = sound(*frames, 0, 0, 0, 0)
    events = heard(samples, settings=settings)
    utterances = ends(events)
    assert [ended.forced for ended in utterances] == [True] * (len(utterances) - 1) + [False]
    assert utterances[0].span == Span(at(0), at(26))
    assert all(ended.span.duration <= 1.0 + SECONDS for ended in utterances)
    joined = np.concatenate([ended.samples for ended in utterances])
    np.testing.assert_array_equal(joined, samples[: 101 * FRAME])
    assert sum(isinstance(event, SpeechStarted) for event in events) == len(utterances)


def test_a_commit_ends_the_utterance_with_every_sample_pushed() -> None:
    endpointer = Endpointer(ByLoudness(), SETTINGS)
    samples = np.concatenate((sound(0, 1, 1, 1), np.full(100, 0.25, np.float32)))
    assert endpointer.push(samples) == [SpeechStarted(SECONDS)]
    assert endpointer.speaking
    so_far = endpointer.so_far()
    assert so_far is not None
    (ended,) = endpointer.commit()
    assert isinstance(ended, SpeechEnded)
    np.testing.assert_array_equal(ended.samples, samples)
    np.testing.assert_array_equal(ended.samples, so_far)
    assert endpointer.so_far() is None
    assert not endpointer.speaking
    assert endpointer.commit() == []


def test_a_commit_counts_speech_too_short_to_begin_by_itself() -> None:
    endpointer = Endpointer(ByLoudness(), SETTINGS)
    assert endpointer.push(sound(0, 0, 0, 0, 1)) == []
    started, ended = endpointer.commit()
    assert started == SpeechStarted(4 * SECONDS)
    assert isinstance(ended, SpeechEnded)
    assert ended.span == Span(at(1), at(5))


def test_a_commit_of_silence_is_nothing() -> None:
    endpointer = Endpointer(ByLoudness(), SETTINGS)
    endpointer.push(sound(*[0] * 10))
    assert endpointer.commit() == []


def test_an_hour_of_silence_is_not_kept() -> None:
    endpointer = Endpointer(ByLoudness(), SETTINGS)
    for _ in range(1000):
        endpointer.push(np.zeros(1600, np.float32))
    assert endpointer._sound.end - endpointer._sound._start <= 4 * FRAME + 1600
