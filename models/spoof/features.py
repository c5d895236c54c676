"""Features of the compact detector: linearly spaced bands each 10 ms, invariant to gain and to a fixed filter.

Three views of the sound: the log energy of each band; how much its spectrum stands out in peaks, as the harmonics of a
voice do; and how much its energy comes in bursts, as the pulses of a voice do. Vocoders that get the energies right
still draw harmonics too clean or too blurred, and pulses too sharp or too smeared, since those need the right phases.
Linear spacing keeps the upper half of the spectrum, where they leave most of their traces, as fine as the lower
(Sahidullah et al., "A Comparison of Features for Synthetic Speech Detection", Interspeech 2015).
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from models.audio import SAMPLE_RATE
from models.spoof.types import CHUNK_SAMPLES

FEATURES = "linear-bands-3x80/1"
"""Name and version of these features: a checkpoint says which it was trained on."""

FRAME_LENGTH = 400
HOP_LENGTH = 160
FFT_LENGTH = 512
BANDS = 80
"""Triangles of 198 Hz, 99 Hz apart, over 0 to 8 kHz."""

VIEWS = 3
WIDTH = VIEWS * BANDS
"""Numbers per frame: one view behind the other, each from low to high."""

FRAMES = 1 + (CHUNK_SAMPLES - FRAME_LENGTH) // HOP_LENGTH
"""Frames of one chunk: 398."""

LONG_WINDOW = 1024
"""64 ms, which tell the harmonics of any voice apart."""

SHORT_WINDOW = 64
SHORT_HOP = 16
"""4 ms every millisecond, which tell the pulses of any voice apart."""

SHORT_WINDOWS = 1 + (FRAME_LENGTH - SHORT_WINDOW) // SHORT_HOP
"""Short windows within one frame."""

PRE_EMPHASIS = np.float32(0.97)
SILENCE = 1e-6
"""RMS under which a stretch counts as silent and is not amplified any further."""

LOWEST = np.float32(1e-10)
FLOOR = np.float32(1e-5)
"""Energies are told apart down to 50 dB under a chunk's mean, so that digital silence and a quiet room look alike."""

FLAT_FLOOR = np.float32(1e-6)
"""Likewise for the other two views, of the mean power of a signal of unit RMS."""

SPREAD = np.float32(2.5)
"""Typical deviation of a band's log energy; the view is divided by it."""

NOISE = np.float32(0.55)
"""Typical value of the other two views for noise; the views are divided by it."""

BLOCK = 2
"""Chunks of one pass: their spectra stay in the processor's cache."""

Pcm = NDArray[np.float32]


def features(chunks: Pcm, lengths: NDArray[np.int64], *, threads: int = 1) -> Pcm:
    """Describe chunks of speech for the network; each row depends on its own chunk alone.

    Args:
        chunks: Mono float32 at 16 kHz, shape [B, 64000]; never written to.
        lengths: Samples of each chunk that are the recording's, shape [B]. A shorter chunk is repeated until it
            fills 4 s; what lies behind its end isn't looked at.
        threads: Threads of the Fourier transform.

    Returns:
        Shape [B, 398, 240], the same at any gain.
    """
    described = np.empty((len(chunks), FRAMES, WIDTH), np.float32)
    whole = np.flatnonzero(lengths == CHUNK_SAMPLES)
    for rows in np.array_split(whole, -(-len(whole) // BLOCK)) if len(whole) else ():
        described[rows] = normalised(describe(chunks[rows], threads=threads))
    for row in np.flatnonzero(lengths != CHUNK_SAMPLES):
        described[row] = normalised(tiled(describe(chunks[row, : lengths[row]])))
    return described


def describe(pcm: Pcm, *, threads: int = 1) -> Pcm:
    """Describe each 10 ms of a signal, brought to unit RMS.

    Args:
        pcm: Mono float32 at 16 kHz, shape [..., samples]; shorter than one frame, it is filled up with zeros.
        threads: Threads of the Fourier transforms.

    Returns:
        Shape [..., frames, 240]: log energies, peaks, bursts of each band.
    """
    if pcm.shape[-1] < FRAME_LENGTH:
        pcm = np.concatenate((pcm, np.zeros((*pcm.shape[:-1], FRAME_LENGTH - pcm.shape[-1]), np.float32)), axis=-1)
    rms = np.sqrt(np.mean(np.square(pcm, dtype=np.float64), axis=-1, keepdims=True))
    level = pcm * (1 / np.maximum(rms, SILENCE)).astype(np.float32)
    emphasised = np.empty_like(level)
    emphasised[..., 0] = level[..., 0] * (1 - PRE_EMPHASIS)
    emphasised[..., 1:] = level[..., 1:] - PRE_EMPHASIS * level[..., :-1]
    views = (log_energies(emphasised, threads), peaks(emphasised, threads), bursts(emphasised, threads))
    described: Pcm = np.concatenate(views, axis=-1)
    return described


def log_energies(signal: Pcm, threads: int) -> Pcm:
    """Return the log energy of each band, shape [..., frames, 80]."""
    energies: Pcm = _power(signal, FRAME_LENGTH, HOP_LENGTH, FFT_LENGTH, threads) @ _filters(FFT_LENGTH)
    energies += LOWEST
    return np.log(energies, out=energies)


def peaks(signal: Pcm, threads: int) -> Pcm:
    """Return log(mean / geometric mean) of each band's power spectrum: 0 where it is flat, shape [..., frames, 80]."""
    margin = (LONG_WINDOW - FRAME_LENGTH) // 2
    around = np.pad(signal, [(0, 0)] * (signal.ndim - 1) + [(margin, margin)])
    power = _power(around, LONG_WINDOW, HOP_LENGTH, LONG_WINDOW, threads)
    power += FLAT_FLOOR
    mean: Pcm = np.log(power @ _filters(LONG_WINDOW))
    mean -= np.log(power, out=power) @ _filters(LONG_WINDOW)
    return mean


def bursts(signal: Pcm, threads: int) -> Pcm:
    """Return log(mean / geometric mean) of each band's power over a frame: 0 where it is steady, [..., frames, 80]."""
    power = _power(signal, SHORT_WINDOW, SHORT_HOP, SHORT_WINDOW, threads)
    power += FLAT_FLOOR
    mean = np.log(_frame_means(power))
    mean -= _frame_means(np.log(power, out=power))
    interpolated: Pcm = mean @ _interpolation()
    return interpolated


def normalised(described: Pcm) -> Pcm:
    """Remove what a gain or a fixed filter does to the energies, and what lies far below the chunk's level.

    Args:
        described: As from ``describe``, shape [..., frames, 240].
    """
    ready = np.empty_like(described)
    energies = np.exp(described[..., :BANDS])
    energies += FLOOR * energies.mean(axis=(-2, -1), keepdims=True)
    logs = np.log(energies, out=energies)
    logs -= logs.mean(axis=-2, keepdims=True)
    ready[..., :BANDS] = logs / SPREAD
    ready[..., BANDS:] = described[..., BANDS:] / NOISE - 1
    return ready


def tiled(described: Pcm, frames: int = FRAMES) -> Pcm:
    """Repeat a stretch of frames, shape [..., 240], until it fills a chunk."""
    return described[np.arange(frames) % len(described)]


def _power(signal: Pcm, length: int, hop: int, fft_length: int, threads: int) -> Pcm:
    """Return power spectra, shape [..., frames, bins]; white noise of unit variance has the mean 1 in every bin."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, length, axis=-1)[..., ::hop, :]
    spectrum = rfft(frames * _window(length), fft_length, axis=-1, workers=threads)
    power: Pcm = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _frame_means(values: Pcm) -> Pcm:
    """Return means over the short windows of each frame; [..., windows, bins] to [..., frames, bins]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, SHORT_WINDOWS, axis=-2)
    means: Pcm = np.mean(windows[..., :: HOP_LENGTH // SHORT_HOP, :, :], axis=-1)
    return means


@cache
def _window(length: int) -> Pcm:
    """Return a periodic Hann window of unit energy."""
    window = np.hanning(length + 1)[:-1]
    return np.asarray(window / np.sqrt(np.square(window).sum()), np.float32)


@cache
def _filters(fft_length: int) -> Pcm:
    """Return overlapping triangles of unit sum, shape [bins, BANDS]."""
    corners = np.linspace(0, SAMPLE_RATE / 2, BANDS + 2)
    frequencies = np.fft.rfftfreq(fft_length, 1 / SAMPLE_RATE)[:, None]
    triangles = np.clip(1 - np.abs(frequencies - corners[1:-1]) / corners[1], 0, None)
    return np.asarray(triangles / triangles.sum(axis=0), np.float32)


@cache
def _interpolation() -> Pcm:
    """Return linear interpolation from the short window's bins to the bands' centres, shape [33, BANDS]."""
    bins = np.fft.rfftfreq(SHORT_WINDOW, 1 / SAMPLE_RATE)
    centres = np.linspace(0, SAMPLE_RATE / 2, BANDS + 2)[1:-1]
    return np.asarray(np.clip(1 - np.abs(bins[:, None] - centres) / bins[1], 0, None), np.float32)
