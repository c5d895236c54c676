"""Short-time Fourier transform, its inverse and the mel filters, in NumPy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from models.audio import SAMPLE_RATE
from training.spoof.recipe.codecs import Pcm

Spectrum = NDArray[np.complex64]


@dataclass(frozen=True)
class Stft:
    """Hann-windowed transform whose inverse is exact.

    Args:
        size: Window and transform, samples.
        hop: Samples from frame to frame, at most a quarter of ``size`` for a smooth inverse.
    """

    size: int
    hop: int

    @property
    def window(self) -> Pcm:
        """Periodic Hann window, shape [size]."""
        return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.size) / self.size)).astype(np.float32)

    def forward(self, pcm: Pcm) -> Spectrum:
        """Shape [samples] to [frames, size // 2 + 1]; frame t is centred on sample t * hop."""
        half = self.size // 2
        padded = np.pad(pcm, (half, half + self.hop))
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.size)[:: self.hop]
        return np.asarray(rfft(frames * self.window, axis=1), np.complex64)

    def inverse(self, spectrum: Spectrum, length: int) -> Pcm:
        """Shape [frames, size // 2 + 1] to [length], by weighted overlap-add."""
        window = self.window
        frames = np.asarray(irfft(spectrum, self.size, axis=1), np.float32) * window
        total = np.zeros((len(frames) - 1) * self.hop + self.size, np.float32)
        weight = np.zeros_like(total)
        for index, frame in enumerate(frames):
            at = slice(index * self.hop, index * self.hop + self.size)
            total[at] += frame
            weight[at] += window * window
        half = self.size // 2
        return np.asarray((total / np.maximum(weight, 1e-3))[half : half + length], np.float32)


def mel_filters(bands: int, size: int, low_hz: float = 0.0, high_hz: float = SAMPLE_RATE / 2) -> Pcm:
    """Triangles evenly spaced in mel, each of area 1; shape [bands, size // 2 + 1]."""
    edges_mel = np.linspace(_mel(low_hz), _mel(high_hz), bands + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    frequency = np.linspace(0, SAMPLE_RATE / 2, size // 2 + 1)
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    # Narrow triangles at low frequencies may fall between two bins.
    triangles[np.arange(bands), np.abs(frequency - edges[1:-1, None]).argmin(axis=1)] += 1e-3
    return np.asarray(triangles / triangles.sum(axis=1, keepdims=True), np.float32)


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))
