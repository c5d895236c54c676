"""Log-mel spectra of speech for Wav2Lip, 16 columns for each frame.

Pre-emphasis, a short-time Fourier transform centred with reflection at the film's two ends, 80 bands of Slaney's scale,
decibels brought to -4..4. A shot's columns are those that the whole film's spectrogram would have there.
"""

from functools import cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torchaudio.functional import melscale_fbanks

from models.lipsync.types import FRAMES_PER_SECOND, Shot
from models.lipsync.wav2lip_network import MEL_BANDS, MEL_COLUMNS

SAMPLE_RATE = 16_000

_PRE_EMPHASIS = 0.97
_WINDOW, _HOP = 800, 200
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 7600.0
_LEAST_MAGNITUDE = 1e-5
_REFERENCE_DB, _RANGE_DB = 20.0, 100.0
_LIMIT = 4.0
_COLUMNS_PER_SECOND = SAMPLE_RATE // _HOP
_SAMPLES_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND


def speech_windows(shot: Shot) -> NDArray[np.float32]:
    """Return what each frame of a shot is drawn from, float32[frames, 80, 16].

    A frame's window starts with it. The last frames of a film, whose windows would end after the speech, share the last
    whole window; frames after the speech see silence.
    """
    starts = np.arange(shot.first, shot.first + shot.count) * _COLUMNS_PER_SECOND // FRAMES_PER_SECOND
    if shot.last:
        end = shot.offset + len(shot.pcm)
        columns = end // _HOP + 1
        spoken = np.arange(shot.first, shot.first + shot.count) * _SAMPLES_PER_FRAME < end
        starts = np.where(spoken, np.minimum(starts, max(0, columns - MEL_COLUMNS)), columns)
    begin = int(starts.min())
    mel = mel_columns(shot, begin, int(starts.max()) + MEL_COLUMNS)
    windows = sliding_window_view(mel, MEL_COLUMNS, axis=1)[:, starts - begin]
    return np.ascontiguousarray(windows.transpose(1, 0, 2))


def mel_columns(shot: Shot, begin: int, stop: int) -> NDArray[np.float32]:
    """Return columns ``begin`` to ``stop`` of the film's spectrogram, float32[80, columns], from -4 to 4.

    What is before or after the shot's speech counts as silence.
    """
    heard, origin = _emphasised(shot)
    first = begin * _HOP - _WINDOW // 2
    samples = np.zeros((stop - begin - 1) * _HOP + _WINDOW, np.float32)
    start, end = max(first, origin), min(first + len(samples), origin + len(heard))
    if start < end:
        samples[start - first : end - first] = heard[start - origin : end - origin]
    if shot.last:
        # Columns there are up to the one that is centred at the end; what it mirrors is not heard twice.
        stop_of_film = (shot.offset + len(shot.pcm)) // _HOP + 1
        known = max(0, min(stop, stop_of_film) - begin)
    else:
        known = stop - begin
    mel = np.full((MEL_BANDS, stop - begin), -_LIMIT, np.float32)
    if known:
        frames = sliding_window_view(samples, _WINDOW)[::_HOP][:known]
        magnitudes = np.abs(scipy.fft.rfft(frames * _hann(), axis=1))
        decibels = 20 * np.log10(np.maximum(_LEAST_MAGNITUDE, _bands() @ magnitudes.T)) - _REFERENCE_DB
        scaled = 2 * _LIMIT * (decibels + _RANGE_DB) / _RANGE_DB - _LIMIT
        mel[:, :known] = np.clip(scaled, -_LIMIT, _LIMIT)
    return mel


def _emphasised(shot: Shot) -> tuple[NDArray[np.float32], int]:
    """Return a shot's speech with what mirrors it at the film's ends, and which sample of the film its first is."""
    heard = shot.pcm.copy()
    heard[1:] -= np.float32(_PRE_EMPHASIS) * shot.pcm[:-1]
    mirrored = (_WINDOW // 2 if shot.offset == 0 else 0, _WINDOW // 2 if shot.last else 0)
    if len(heard):
        heard = np.pad(heard, mirrored, mode="reflect")
    return heard, shot.offset - mirrored[0]


@cache
def _hann() -> NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)


@cache
def _bands() -> NDArray[np.float32]:
    """Return triangles of equal area on Slaney's mel scale, float32[80, 401]."""
    filters = melscale_fbanks(
        _WINDOW // 2 + 1, _LOWEST_HZ, _HIGHEST_HZ, MEL_BANDS, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
    )
    weights: NDArray[np.float32] = filters.T.contiguous().numpy()
    return weights
