"""Voice activity and endpoint detection on live audio."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models.settings import Settings
from models.spans import Span
from models.vad.settings import HYSTERESIS, LOWEST_OFFSET
from models.vad.silero import CONTEXT, FRAME, SAMPLE_RATE, STATE, SileroVad

Samples = NDArray[np.float32]


class EndpointSettings(Settings):
    """Settings of endpoint detection in live speech; times in seconds."""

    threshold: float = Field(0.5, gt=0.0, lt=1.0, description="Speech starts at this probability.")
    min_speech: float = Field(0.16, ge=0.0, description="Less speech than this does not begin an utterance.")
    max_gap: float = Field(0.2, gt=0.0, description="A longer pause before min_speech is reached starts it anew.")
    pause: float = Field(0.5, gt=0.0, description="A pause as long as this ends the utterance.")
    early_pause: float = Field(0.16, gt=0.0, description="A pause as long as this may become its end.")
    pre_roll: float = Field(0.3, ge=0.0, description="Sound before the first frame of speech that goes with it.")
    pad: float = Field(0.1, ge=0.0, description="Sound after the last frame of speech that goes with it.")
    max_utterance: float = Field(30.0, ge=1.0, description="Longer utterances are cut.")
    cut_search: float = Field(3.0, gt=0.0, description="They are cut where speech is least likely in so much of it.")


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Start of speech.

    Attributes:
        at: Where the first frame of speech begins, in seconds from the start of the stream.
    """

    at: float


@dataclass(frozen=True, slots=True, eq=False)
class SpeechPaused:
    """The speech may be over; ``SpeechEnded`` with the same span follows if it is, else it goes on.

    Attributes:
        span: The utterance so far.
        samples: Its sound, float32[n] at 16 kHz.
    """

    span: Span
    samples: Samples


@dataclass(frozen=True, slots=True, eq=False)
class SpeechEnded:
    """An utterance is complete.

    Attributes:
        span: Where it lies, with what goes before and after it, in seconds from the start of the stream.
        samples: Its sound, float32[n] at 16 kHz.
        forced: Whether it was cut for its length while the speech went on.
    """

    span: Span
    samples: Samples
    forced: bool = False


SpeechEvent = SpeechStarted | SpeechPaused | SpeechEnded


class FrameScorer(Protocol):
    """Gives each complete frame of 512 samples of a stream its probability of speech."""

    def push(self, samples: Samples) -> Samples:
        """Take the next samples, any number; return the probabilities of the frames that they complete."""
        ...


class StreamingVad:
    """Silero VAD over one stream: gives what ``SileroVad.probabilities`` gives for the whole recording.

    Not safe to call from two threads at once; the streams of one ``SileroVad`` share its session, which is.

    Args:
        vad: Whose network is used.
    """

    def __init__(self, vad: SileroVad) -> None:
        self._session = vad._session
        self._h = self._c = np.zeros(STATE, dtype=np.float32)
        self._context = np.zeros(CONTEXT, dtype=np.float32)
        self._rest = np.zeros(0, dtype=np.float32)

    def push(self, samples: Samples) -> Samples:
        """Take the next samples.

        Args:
            samples: Mono float32 at 16 kHz, shape [n]; never written to.

        Returns:
            Probability of speech of each frame that is complete now, shape [frames].
        """
        samples = np.concatenate((self._rest, samples))
        count = len(samples) // FRAME
        self._rest = samples[count * FRAME :].copy()
        if not count:
            return np.zeros(0, dtype=np.float32)
        windows = np.empty((count, CONTEXT + FRAME), dtype=np.float32)
        windows[:, CONTEXT:] = samples[: count * FRAME].reshape(count, FRAME)
        windows[0, :CONTEXT] = self._context
        windows[1:, :CONTEXT] = windows[:-1, -CONTEXT:]
        self._context = windows[-1, -CONTEXT:].copy()
        output, self._h, self._c = self._session.run(None, {"input": windows, "h": self._h, "c": self._c})
        probabilities: Samples = output.reshape(-1)
        return probabilities


class Endpointer:
    """Cuts a stream into utterances. Its time is that of the samples: it knows no clock.

    Holds the current utterance and, in silence, the pre-roll: at most ``max_utterance`` and what one push brings.

    Args:
        scorer: Scores this stream's frames.
        settings: Thresholds and durations.
    """

    def __init__(self, scorer: FrameScorer, settings: EndpointSettings | None = None) -> None:
        self._scorer = scorer
        self.settings = settings if settings is not None else EndpointSettings()
        self._sound = _Sound()
        self._frames = 0
        self._voiced = False
        self._floor = 0
        self._first: int | None = None
        self._last = 0
        self._speech_frames = 0
        self._started = self._paused = False
        self._probabilities: list[float] = []

    @property
    def speaking(self) -> bool:
        """True during an utterance."""
        return self._started

    @property
    def voiced(self) -> bool:
        """True while the newest frame is of speech."""
        return self._voiced

    def push(self, samples: Samples) -> list[SpeechEvent]:
        """Take the next samples.

        Args:
            samples: Mono float32 at 16 kHz, shape [n]; never written to.

        Returns:
            What happened, in order.
        """
        self._sound.append(samples)
        events = [event for p in self._scorer.push(samples).tolist() for event in self._frame(p)]
        keep = self._frames * FRAME if self._first is None else self._first * FRAME
        self._sound.forget_before(max(self._floor, keep - _samples(self.settings.pre_roll)))
        return events

    def commit(self) -> list[SpeechEvent]:
        """End the utterance now, with all that was pushed.

        Returns:
            The end, behind the beginning where that was not yet said; empty where there was no speech.
        """
        if self._first is None:
            return []
        events: list[SpeechEvent] = [] if self._started else [SpeechStarted(self._first * FRAME / SAMPLE_RATE)]
        last = self._sound.end if self._voiced else self._padded_end()
        return [*events, self._end(last)]

    def so_far(self) -> Samples | None:
        """Return the utterance so far, float32[n] at 16 kHz; None while nobody speaks."""
        return self._sound.between(self._begin(), self._sound.end) if self._started else None

    def _frame(self, p: float) -> Iterator[SpeechEvent]:
        settings = self.settings
        floor = max(settings.threshold - HYSTERESIS, LOWEST_OFFSET) if self._voiced else settings.threshold
        self._voiced = p >= floor
        self._frames += 1
        if self._voiced and self._first is None:
            self._first = self._frames - 1
        if self._first is None:
            return
        self._probabilities.append(p)
        if self._voiced:
            yield from self._speech()
        else:
            yield from self._silence()
        if self._started and self._frames * FRAME - self._begin() >= _samples(settings.max_utterance):
            yield from self._cut()

    def _speech(self) -> Iterator[SpeechEvent]:
        assert self._first is not None
        self._speech_frames += 1
        self._last = self._frames
        self._paused = False
        if not self._started and self._speech_frames * FRAME >= _samples(self.settings.min_speech):
            self._started = True
            yield SpeechStarted(self._first * FRAME / SAMPLE_RATE)

    def _silence(self) -> Iterator[SpeechEvent]:
        silence = (self._frames - self._last) * FRAME
        if not self._started:
            if silence >= _samples(self.settings.max_gap):
                self._forget()
        elif silence >= _samples(self.settings.pause):
            yield self._end(self._padded_end())
        elif silence >= _samples(self.settings.early_pause) and not self._paused:
            self._paused = True
            begin, end = self._begin(), self._padded_end()
            yield SpeechPaused(_span(begin, end), self._sound.between(begin, end))

    def _cut(self) -> Iterator[SpeechEvent]:
        """End the utterance where speech was least likely; what follows is the next one's beginning."""
        assert self._first is not None
        searched = min(len(self._probabilities) - 1, _samples(self.settings.cut_search) // FRAME)
        recent = self._probabilities[-searched:]
        rest = recent[int(np.argmin(recent)) + 1 :]
        cut = self._frames - len(rest)
        yield self._end(cut * FRAME, forced=True)
        if rest:
            self._first, self._last, self._started = cut, self._frames, True
            self._speech_frames = len(rest)
            self._probabilities = rest
            yield SpeechStarted(cut * FRAME / SAMPLE_RATE)

    def _begin(self) -> int:
        assert self._first is not None
        return max(self._floor, self._first * FRAME - _samples(self.settings.pre_roll))

    def _padded_end(self) -> int:
        return min(self._last * FRAME + _samples(self.settings.pad), self._sound.end)

    def _end(self, end: int, *, forced: bool = False) -> SpeechEnded:
        begin = self._begin()
        ended = SpeechEnded(_span(begin, end), self._sound.between(begin, end), forced)
        self._floor = end
        self._forget()
        return ended

    def _forget(self) -> None:
        self._first = None
        self._last = self._speech_frames = 0
        self._started = self._paused = False
        self._probabilities = []


class _Sound:
    """The end of a stream, by position from its start."""

    def __init__(self) -> None:
        self._pieces: list[Samples] = []
        self._start = 0
        self.end = 0

    def append(self, samples: Samples) -> None:
        self._pieces.append(samples.copy())
        self.end += len(samples)

    def forget_before(self, position: int) -> None:
        while self._pieces and self._start + len(self._pieces[0]) <= position:
            self._start += len(self._pieces.pop(0))

    def between(self, first: int, last: int) -> Samples:
        joined = np.concatenate(self._pieces) if self._pieces else np.zeros(0, dtype=np.float32)
        return joined[max(0, first - self._start) : max(0, last - self._start)].copy()


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _span(first: int, last: int) -> Span:
    return Span(first / SAMPLE_RATE, last / SAMPLE_RATE)
