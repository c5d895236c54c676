"""Mouth motion from speech: opening and width of the mouth in each frame, from the loudness and the spectrum."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.lipsync.types import FRAMES_PER_SECOND, Shot

_RATE = 16_000
_HOP = 160
_WINDOW = 512
_HOPS_PER_FRAME = _RATE // FRAMES_PER_SECOND // _HOP
# Hops around a frame that its mouth depends on; within the context that every shot brings.
_REACH = 24

# Levels of speech in dB below the film's full voice: where a mouth begins to open, and where silence begins.
_OPENS_FROM, _SILENT_BELOW = -21.0, -27.0
# A mouth stays open over pauses of at most twice so many hops.
_BRIDGED = 5
_HELD = 5
_HELD_FALL = 0.8

Track = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MouthTrack:
    """Opening and width of the mouth in consecutive frames.

    Attributes:
        opening: float64[frames]: 0 shut to 1 wide open.
        width: float64[frames]: -1 for rounded lips, 0 as at rest, 1 for wide ones.
    """

    opening: Track
    width: Track


def mouth_track(shot: Shot) -> MouthTrack:
    """Return the mouth's motion in a shot's frames.

    A frame depends on at most 0.3 s of speech to either side of its middle, and looks ahead as far as it looks back, so
    that the mouth is in step with the voice. Equal speech gives equal frames however a film is cut.
    """
    first = _HOPS_PER_FRAME * shot.first + _HOPS_PER_FRAME // 2 - _REACH
    hops = _HOPS_PER_FRAME * (shot.count - 1) + 1 + 2 * _REACH
    power = _spectra(shot, first, hops)
    voiced = _decibels(_band(power, 120, 4000)) - shot.loudness
    opening = np.clip(
        (_decibels((power * _VOWEL_WEIGHTS).sum(axis=1)) - shot.loudness - _OPENS_FROM) / (1.0 - _OPENS_FROM), 0.0, 1.0
    )
    opening = _smoothed(_held(opening**1.25))
    gate = _smoothed(_bridged(voiced > _SILENT_BELOW).astype(np.float64))
    opening *= np.where(gate > 0.02, gate, 0.0)
    width = _smoothed(_width(power) * (voiced > _SILENT_BELOW)) * gate
    at = _REACH + _HOPS_PER_FRAME * np.arange(shot.count)
    return MouthTrack(np.round(opening[at], 6), np.round(width[at], 6))


def _spectra(shot: Shot, first: int, hops: int) -> NDArray[np.float64]:
    """Return the power spectra around hops of the film, float64[hops, bins]; a row sums to the mean square there."""
    start = first * _HOP - _WINDOW // 2
    samples = np.zeros((hops - 1) * _HOP + _WINDOW)
    low, high = max(start, shot.offset), min(start + len(samples), shot.offset + len(shot.pcm))
    if low < high:
        samples[low - start : high - start] = shot.pcm[low - shot.offset : high - shot.offset]
    pieces = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.abs(np.fft.rfft(pieces * _TAPER, axis=1)) ** 2
    return np.asarray(spectra * (2.0 / (_WINDOW * float((_TAPER**2).sum()))), np.float64)


def _width(power: NDArray[np.float64]) -> Track:
    """Return how wide the lips are, from which formants are strong: /i/ wide, /u/ and /o/ round."""
    low, middle = _decibels(_band(power, 200, 650)), _decibels(_band(power, 750, 1700))
    high, above = _decibels(_band(power, 1900, 3300)), _decibels(_band(power, 1100, 3300))
    wide = np.clip((high - middle + 3.0) / 9.0, 0.0, 1.0)
    rounded = np.clip((low - above - 13.0) / 8.0, 0.0, 1.0)
    return np.asarray(wide - rounded * (1.0 - wide), np.float64)


def _held(track: Track) -> Track:
    """Return a track that rises at once and falls slowly."""
    held = track.copy()
    for lag in range(1, _HELD + 1):
        held[lag:] = np.maximum(held[lag:], track[:-lag] * _HELD_FALL**lag)
    return held


def _bridged(voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where speech is heard, or is only shortly not."""
    near = _any_near(voiced, _BRIDGED)
    return np.asarray(~_any_near(~near, _BRIDGED))


def _any_near(marks: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    found = marks.copy()
    for lag in range(1, reach + 1):
        found[lag:] |= marks[:-lag]
        found[:-lag] |= marks[lag:]
    return found


def _smoothed(track: Track) -> Track:
    """Return a track averaged over the 70 ms around each hop."""
    total = np.asarray(track * _KERNEL[0], np.float64)
    for lag, share in enumerate(_KERNEL[1:], start=1):
        total[lag:] += share * track[:-lag]
        total[:-lag] += share * track[lag:]
    return total


def _band(power: NDArray[np.float64], low: int, high: int) -> Track:
    bins = slice(round(low * _WINDOW / _RATE), round(high * _WINDOW / _RATE) + 1)
    return np.asarray(power[:, bins].sum(axis=1), np.float64)


def _decibels(power: Track) -> Track:
    return np.asarray(10.0 * np.log10(power + 1e-12), np.float64)


def _vowel_weights() -> NDArray[np.float64]:
    """Return how much each bin tells of an open mouth: its first formant lies high, that of a hum below 300 Hz."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1.0 / _RATE)
    knots = [0.0, 150.0, 300.0, 600.0, 1200.0, 2000.0, 3500.0, 4500.0, 8000.0]
    weights = np.interp(frequencies, knots, [0.0, 0.02, 0.15, 1.0, 1.0, 0.7, 0.3, 0.0, 0.0])
    return np.asarray(weights, np.float64)


_TAPER = np.hanning(_WINDOW + 1)[:-1]
_KERNEL = np.hanning(2 * 4 + 1)[4:-1] / np.hanning(2 * 4 + 1)[1:-1].sum()
_VOWEL_WEIGHTS = _vowel_weights()
