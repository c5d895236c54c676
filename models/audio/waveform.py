"""Waveform outlines: peak levels over time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio.limits import SAMPLE_RATE

MOST_POINTS = 2000
FIRST_POINT_SAMPLES = SAMPLE_RATE // 100
LOUDEST = 100


@dataclass(frozen=True)
class Outline:
    """Peak levels of a recording over time, for drawing its waveform.

    Attributes:
        duration: Seconds.
        seconds_per_point: What one peak stands for; the last may stand for less.
        peaks: The largest magnitude within each such span, from 0 to ``LOUDEST`` at full scale.
    """

    duration: float
    seconds_per_point: float
    peaks: tuple[int, ...]


class Waveform:
    """Computes a recording's outline from its stream of samples, in constant memory.

    A point begins as 10 ms. When there are ``MOST_POINTS`` and more comes, each two become one.
    """

    def __init__(self) -> None:
        self._peaks = np.zeros(MOST_POINTS, np.float32)
        self._points = 0
        self._point_samples = FIRST_POINT_SAMPLES
        self._open_peak = 0.0
        self._open_samples = 0
        self._samples = 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take the next samples, mono at 16 kHz, nominally -1 to 1."""
        self._samples += len(samples)
        magnitudes = np.abs(samples)
        while len(magnitudes):
            if self._points == MOST_POINTS:
                self._halve()
            whole = min(len(magnitudes) // self._point_samples, MOST_POINTS - self._points)
            if whole and not self._open_samples:
                taken = whole * self._point_samples
                peaks = magnitudes[:taken].reshape(whole, self._point_samples).max(axis=1)
                self._peaks[self._points : self._points + whole] = peaks
                self._points += whole
            else:
                taken = min(len(magnitudes), self._point_samples - self._open_samples)
                self._add_to_open_point(magnitudes[:taken])
            magnitudes = magnitudes[taken:]

    def outline(self) -> Outline:
        """Return the outline of all that was added."""
        peaks = self._peaks[: self._points]
        if self._open_samples:
            peaks = np.append(peaks, np.float32(self._open_peak))
        scaled = np.rint(LOUDEST * np.minimum(peaks, 1.0)).astype(int)
        return Outline(self._samples / SAMPLE_RATE, self._point_samples / SAMPLE_RATE, tuple(scaled.tolist()))

    def _add_to_open_point(self, magnitudes: NDArray[np.float32]) -> None:
        self._open_peak = max(self._open_peak, float(magnitudes.max()))
        self._open_samples += len(magnitudes)
        if self._open_samples == self._point_samples:
            self._peaks[self._points] = self._open_peak
            self._points += 1
            self._open_peak, self._open_samples = 0.0, 0

    def _halve(self) -> None:
        self._points //= 2
        self._peaks[: self._points] = self._peaks.reshape(self._points, 2).max(axis=1)
        self._point_samples *= 2
