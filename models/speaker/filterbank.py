"""Log-mel spectra for the compact encoder, in NumPy alone: training and inference see the same numbers."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.speaker.mel import mel_filters

SAMPLE_RATE = 16_000
FRAME_LENGTH = 400
HOP_LENGTH = 160
FFT_LENGTH = 512
MELS = 64
BAND = (60.0, 7600.0)
"""Hz; training hides what lies outside the telephone band often enough for the network not to rely on it."""

LEVEL = 0.1
FLOOR = 1e-10


def frame_count(samples: int) -> int:
    """Return the number of frames that ``log_mel`` makes of some samples."""
    return (samples - FRAME_LENGTH) // HOP_LENGTH + 1


def log_mel(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe each 10 ms of a stretch of sound; the same at any volume.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples], at least 25 ms; never written to.

    Returns:
        Natural logarithm of the power in each band, shape [frames, MELS].
    """
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64))))
    levelled = pcm * np.float32(LEVEL / max(rms, FLOOR))
    frames = np.lib.stride_tricks.sliding_window_view(levelled, FRAME_LENGTH)[::HOP_LENGTH]
    spectrum = np.fft.rfft(frames * _window(), FFT_LENGTH).astype(np.complex64)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return np.asarray(
        np.log(power @ mel_filters(MELS, BAND, FFT_LENGTH, SAMPLE_RATE) + np.float32(FLOOR)), dtype=np.float32
    )


@cache
def _window() -> NDArray[np.float32]:
    return np.hamming(FRAME_LENGTH).astype(np.float32)
