"""Mel-frequency cepstral coefficients (Davis and Mermelstein, 1980) of the telephone band."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from models.speaker.mel import mel_filters

SAMPLE_RATE = 16_000
FRAME_LENGTH = 400
HOP_LENGTH = 160
FFT_LENGTH = 512
MELS = 32
COEFFICIENTS = 24
BAND = (100.0, 3800.0)
"""Hz. A telephone carries no more, so a voice looks alike through a telephone and a studio microphone."""

LEVEL = 0.1
FLOOR = 1e-8


def mfcc(pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe each 10 ms of a stretch of sound; the same at any volume.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples], at least 25 ms; never written to.

    Returns:
        Coefficients 0 to 23, shape [frames, 24].
    """
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64))))
    emphasised = np.diff(pcm, prepend=pcm[:1]) + np.float32(0.03) * pcm
    emphasised *= np.float32(LEVEL / max(rms, FLOOR))
    frames = np.lib.stride_tricks.sliding_window_view(emphasised, FRAME_LENGTH)[::HOP_LENGTH]
    hamming = np.hamming(FRAME_LENGTH + 1)[:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames * hamming, FFT_LENGTH)))
    mel_spectrogram = np.log(power @ mel_filters(MELS, BAND, FFT_LENGTH, SAMPLE_RATE) + FLOOR)
    return dct(mel_spectrogram, norm="ortho", axis=1)[:, :COEFFICIENTS].astype(np.float32)
