"""The sound of a film: speech as it comes, cut where the film's frames begin, and as the lips hear it at 16 kHz."""

import math
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.audio.frames import audio_frame, clean
from models.errors import InputError
from models.lipsync import CONTEXT_AFTER_S, CONTEXT_BEFORE_S, FRAMES_PER_SECOND, Shot

CLOSING_SILENCE_S = 0.3
"""Silence after the last word, in which the mouth closes."""

DEFAULT_LOUDNESS = -20.0
"""What counts as a full voice before anything was heard, in dBFS."""

_AHEAD_FRAMES = 5
_HEARD_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND
_BEFORE = round(CONTEXT_BEFORE_S * SAMPLE_RATE)
_AFTER = round(CONTEXT_AFTER_S * SAMPLE_RATE)

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A shot of a film and the sound that plays meanwhile.

    Attributes:
        shot: What the lips need to know.
        sound: Mono float32[n] at the voice's rate, from where that of the scene before ended to a little after the
            shot's last frame: an encoder holds some back.
        sample_rate: That rate, in Hz.
    """

    shot: Shot
    sound: Samples
    sample_rate: int


class FilmSound:
    """Sound of a film as far as its speech has come.

    Holds no more than what was added and not cut yet, and a second before it.

    Args:
        sample_rate: Of the speech, in Hz.
        max_seconds: Longest speech.
        field: What the request calls that which is spoken.
    """

    def __init__(self, sample_rate: int, *, max_seconds: float, field: str) -> None:
        self._rate, self._max_seconds, self._field = sample_rate, max_seconds, field
        self._resampler = (
            av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE) if sample_rate != SAMPLE_RATE else None
        )
        self._sound, self._heard = _Window(), _Window()
        self._loudness = Loudness()
        self._first = self._sound_cut = 0
        self._frames: int | None = None

    @property
    def finished(self) -> bool:
        """True when the speech is complete."""
        return self._frames is not None

    def add(self, samples: Samples) -> None:
        """Add speech, mono float32[n].

        Raises:
            InputError: It is longer than the longest film (``too_long``).
        """
        if not len(samples):
            return
        samples = clean(samples)
        self._sound.append(samples)
        if self._sound.end > self._max_seconds * self._rate:
            raise too_long(self._max_seconds, self._field)
        self._hear(samples)

    def _hear(self, samples: Samples | None) -> None:
        """Take speech at the voice's rate, or None for its end, to that of the lips."""
        if self._resampler is None:
            heard = [samples] if samples is not None else []
        else:
            frame = audio_frame(samples, self._rate) if samples is not None else None
            heard = [resampled.to_ndarray()[0] for resampled in self._resampler.resample(frame)]
        for piece in heard:
            self._heard.append(piece)
            self._loudness.add(piece)

    def finish(self) -> None:
        """End the speech and let silence follow, up to a whole frame.

        Raises:
            InputError: There was none (``nothing_to_say``).
        """
        if not self._sound.end:
            raise InputError("nothing_to_say", f"The {self._field} has nothing that can be said.", field=self._field)
        self._hear(None)
        seconds = self._sound.end / self._rate + CLOSING_SILENCE_S
        # Rounding must not make a frame of what is none.
        self._frames = math.ceil(round(seconds * FRAMES_PER_SECOND, 6))
        self._sound.extend_to(self._sound_at(self._frames))
        self._heard.extend_to(self._frames * _HEARD_PER_FRAME)

    def cut(self, frames: int) -> Scene | None:
        """Return the next scene; None where what was said does not reach so far, or where the film has ended.

        Args:
            frames: Its length; the last scene may be shorter.
        """
        if self._frames is not None:
            frames = min(frames, self._frames - self._first)
        first, end = self._first, self._first + frames
        if frames <= 0 or not self._reaches(end):
            return None
        offset = max(0, first * _HEARD_PER_FRAME - _BEFORE)
        pcm = self._heard.between(offset, end * _HEARD_PER_FRAME + _AFTER)
        last = self.finished and offset + len(pcm) == self._heard.end
        shot = Shot(pcm, offset, last, first, frames, round(self._loudness.level, 2))
        until = min(self._sound_at(end + _AHEAD_FRAMES), self._sound.end)
        scene = Scene(shot, self._sound.between(self._sound_cut, until), self._rate)
        self._sound.forget_before(until)
        self._sound_cut = until
        self._heard.forget_before(end * _HEARD_PER_FRAME - _BEFORE)
        self._first = end
        return scene

    def _reaches(self, frame: int) -> bool:
        """Tell whether all is known that the frames before this one need."""
        if self.finished:
            return True
        return self._heard.end >= frame * _HEARD_PER_FRAME + _AFTER

    def _sound_at(self, frame: int) -> int:
        return round(frame * self._rate / FRAMES_PER_SECOND)


def too_long(max_seconds: float, field: str) -> InputError:
    """Return the refusal of a film that is longer than so many seconds."""
    return InputError("too_long", f"The film would be longer than {max_seconds:g} s.", field=field)


class Loudness:
    """Level of the loud parts of speech, measured as it comes.

    The level that 95 % of the windows of 20 ms stay below; those of pauses don't count. It follows what it hears
    slowly, so that mouths don't suddenly open wider.
    """

    _WINDOW = SAMPLE_RATE // 50
    _QUIETEST, _STEPS_PER_DB = -70, 2
    _PAUSE_DB = 30
    _LOUD_SHARE = 0.95
    _MAX_STEP_DB = 1.0

    def __init__(self) -> None:
        self._counts = np.zeros(-self._QUIETEST * self._STEPS_PER_DB + 1, np.int64)
        self._rest: Samples = np.zeros(0, np.float32)
        self._level: float | None = None

    def add(self, heard: Samples) -> None:
        """Add speech, mono float32[n] at 16 kHz."""
        samples = np.concatenate([self._rest, heard])
        whole = len(samples) // self._WINDOW * self._WINDOW
        self._rest = samples[whole:].copy()
        power = np.mean(np.square(samples[:whole].reshape(-1, self._WINDOW), dtype=np.float32), axis=1)
        decibels = 10 * np.log10(np.maximum(power, 1e-12))
        steps = np.rint((decibels - self._QUIETEST) * self._STEPS_PER_DB).astype(np.int64)
        np.add.at(self._counts, np.minimum(steps[steps > 0], len(self._counts) - 1), 1)

    @property
    def level(self) -> float:
        """In dBFS; at most a decibel from where it was when it was last asked for."""
        heard = np.flatnonzero(self._counts)
        if not len(heard):
            return DEFAULT_LOUDNESS
        counts = self._counts.copy()
        counts[: max(0, int(heard[-1]) - self._PAUSE_DB * self._STEPS_PER_DB)] = 0
        total = np.cumsum(counts)
        step = int(np.searchsorted(total, self._LOUD_SHARE * total[-1]))
        level = self._QUIETEST + step / self._STEPS_PER_DB
        if self._level is not None:
            level = min(max(level, self._level - self._MAX_STEP_DB), self._level + self._MAX_STEP_DB)
        self._level = level
        return level


class _Window:
    """The end of a growing row of samples; places are counted from the row's beginning."""

    def __init__(self) -> None:
        self._start = 0
        self._samples: Samples = np.zeros(0, np.float32)

    @property
    def end(self) -> int:
        return self._start + len(self._samples)

    def append(self, samples: Samples) -> None:
        self._samples = np.concatenate([self._samples, samples])

    def extend_to(self, end: int) -> None:
        """Make it so long: with silence, or by the rounding of a resampler shorter."""
        self._samples = self._samples[: end - self._start]
        self.append(np.zeros(end - self.end, np.float32))

    def between(self, start: int, end: int) -> Samples:
        return self._samples[start - self._start : end - self._start].copy()

    def forget_before(self, place: int) -> None:
        forgotten = max(0, place - self._start)
        self._samples = self._samples[forgotten:].copy()
        self._start += forgotten
