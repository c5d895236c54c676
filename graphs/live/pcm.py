"""16-bit PCM as clients have it, to and from samples."""

from collections.abc import Iterable

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.audio.mono import MonoTrack
from models.errors import InputError

_FULL_SCALE = 32768.0


class PcmReader:
    """Turns a client's stream into mono float32 at 16 kHz.

    Args:
        sample_rate: Of the stream, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._track = MonoTrack(SAMPLE_RATE, pad_start=False) if sample_rate != SAMPLE_RATE else None

    def push(self, data: bytes) -> NDArray[np.float32]:
        """Take the next bytes; return the samples that they complete.

        Raises:
            InputError: They are no whole number of samples.
        """
        if len(data) % 2:
            raise InputError("invalid_audio", "A frame of 16-bit PCM has an even number of bytes.", field="audio")
        samples = np.frombuffer(data, dtype="<i2")
        if self._track is None:
            return samples.astype(np.float32) / np.float32(_FULL_SCALE)
        return _joined(self._track.push(_frame(samples.astype(np.int16), "s16", self._sample_rate)))

    def flush(self) -> NDArray[np.float32]:
        """Return what the resampler still holds; the stream may go on."""
        return _joined(self._track.flush() if self._track is not None else ())


class PcmWriter:
    """Turns synthetic speech into PCM at the rate that a client wants; one for each reply.

    Args:
        sample_rate: Of the stream, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._track = MonoTrack(sample_rate, pad_start=False)

    def push(self, samples: NDArray[np.float32], sample_rate: int) -> bytes:
        """Take the next samples; return the bytes that they complete."""
        if not len(samples):
            return b""
        if sample_rate == self._sample_rate:
            return _pcm(samples)
        frame = _frame(np.ascontiguousarray(samples, dtype=np.float32), "flt", sample_rate)
        return _pcm(_joined(self._track.push(frame)))

    def flush(self) -> bytes:
        """Return what the resampler still holds."""
        return _pcm(_joined(self._track.flush()))


def _frame(samples: NDArray[np.int16] | NDArray[np.float32], sample_format: str, sample_rate: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format=sample_format, layout="mono")
    frame.sample_rate = sample_rate
    return frame


def _joined(pieces: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def _pcm(samples: NDArray[np.float32]) -> bytes:
    pcm: NDArray[np.int16] = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    return pcm.tobytes()
