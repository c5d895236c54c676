"""Sound of requests, however it is carried, as mono float32 at 16 kHz."""

import asyncio
import base64
import binascii
import io
from collections.abc import Sequence
from typing import BinaryIO

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from graphs.common.config import ApiConfig
from models.audio import SAMPLE_RATE, AudioLimits, decode
from models.audio.mono import MonoTrack
from models.errors import InputError

_MIN_SPOKEN_SECONDS = 0.1


def spoken_limits(config: ApiConfig, *, allow_truncated: bool = False) -> AudioLimits:
    """Return the bounds of a spoken message."""
    return AudioLimits(_MIN_SPOKEN_SECONDS, config.assistant.max_audio_seconds, allow_truncated)


async def decode_file(file: BinaryIO, limits: AudioLimits, *, field: str) -> NDArray[np.float32]:
    """Decode a received file and close it.

    Args:
        file: Seekable binary file.
        limits: What to accept.
        field: The part of the request that it is.

    Returns:
        Mono samples at 16 kHz, shape (samples,).

    Raises:
        InputError: It can't be used.
    """
    try:
        return await asyncio.to_thread(decode, file, limits)
    except InputError as error:
        raise InputError(error.code, error.message, field=field) from error
    finally:
        file.close()


async def decode_base64(text: str, limits: AudioLimits, *, field: str) -> NDArray[np.float32]:
    """Decode an audio file in base64, as ``decode_file`` does.

    Raises:
        InputError: It is not base64, or can't be used.
    """
    try:
        file = await asyncio.to_thread(base64.b64decode, text, validate=True)
    except binascii.Error as error:
        raise InputError("invalid_base64", f"{field} is not base64.", field=field) from error
    return await decode_file(io.BytesIO(file), limits, field=field)


async def resample_numbers(
    values: Sequence[float], sample_rate: int, *, max_seconds: float, field: str
) -> NDArray[np.float32]:
    """Return samples that came as numbers, clipped to [-1, 1], as mono float32 at 16 kHz.

    Args:
        values: The samples.
        sample_rate: Their rate in Hz.
        max_seconds: Longest sound.
        field: The part of the request that they are.

    Raises:
        InputError: There are none, or too many.
    """
    if not values:
        raise InputError("empty_audio", f"Empty {field}", field=field)
    if len(values) > max_seconds * sample_rate:
        raise InputError("too_long", f"{field} is longer than {max_seconds:g} s.", field=field)

    def resample() -> NDArray[np.float32]:
        samples: NDArray[np.float32] = np.clip(np.array(values), -1.0, 1.0).astype(np.float32)
        if sample_rate == SAMPLE_RATE:
            return samples
        frame = AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = sample_rate
        track = MonoTrack(SAMPLE_RATE, pad_start=False)
        return np.concatenate([np.zeros(0, np.float32), *track.push(frame), *track.flush()])

    return await asyncio.to_thread(resample)
