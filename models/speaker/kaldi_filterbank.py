"""Log-mel spectra as Kaldi makes them (``compute-fbank-feats`` without dither), which CAM++ was trained on."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME_LENGTH = 400
HOP_LENGTH = 160
FFT_LENGTH = 512
MELS = 80
LOWEST_HZ = 20.0
PRE_EMPHASIS = 0.97

LEVEL = 0.05
FLOOR = 1.1920929e-07


def kaldi_fbank(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe each 10 ms of a stretch of sound, less the mean over time; the same at any volume.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples], at least 25 ms; never written to.

    Returns:
        Natural logarithm of the power in each band, shape [frames, MELS].
    """
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64))))
    levelled = pcm * np.float32(LEVEL / max(rms, 1e-10))
    frames = np.lib.stride_tricks.sliding_window_view(levelled, FRAME_LENGTH)[::HOP_LENGTH]
    frames = frames - frames.mean(axis=1, keepdims=True)
    emphasised = np.empty_like(frames)
    emphasised[:, 1:] = frames[:, 1:] - np.float32(PRE_EMPHASIS) * frames[:, :-1]
    emphasised[:, 0] = frames[:, 0] * np.float32(1 - PRE_EMPHASIS)
    emphasised *= _povey_window()
    spectrum = np.fft.rfft(emphasised, FFT_LENGTH).astype(np.complex64)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    logarithms = np.log(np.maximum(power @ _filters(), np.float32(FLOOR)))
    return np.asarray(logarithms - logarithms.mean(axis=0), dtype=np.float32)


@cache
def _povey_window() -> NDArray[np.float32]:
    return np.asarray(np.hanning(FRAME_LENGTH) ** 0.85, dtype=np.float32)


@cache
def _filters() -> NDArray[np.float32]:
    """Return triangles that are straight on the mel scale (Kaldi's), shape [bins, MELS]."""
    frequencies = np.arange(FFT_LENGTH // 2 + 1) * SAMPLE_RATE / FFT_LENGTH
    mel = 1127.0 * np.log(1.0 + frequencies / 700.0)
    lowest, highest = 1127.0 * np.log(1.0 + np.array([LOWEST_HZ, SAMPLE_RATE / 2]) / 700.0)
    edges = np.linspace(lowest, highest, MELS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising = (mel[:, None] - left) / (centre - left)
    falling = (right - mel[:, None]) / (right - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    # Kaldi's filters leave the bin at half the sample rate out.
    triangles[-1] = 0.0
    return np.asarray(triangles, dtype=np.float32)
