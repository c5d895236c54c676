"""Conversion of samples to FFmpeg's audio frames."""

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray


def clean(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples within [-1, 1]: what is beyond is clipped, what is not a number is silence."""
    return np.clip(np.nan_to_num(samples, nan=0.0), -1.0, 1.0).astype(np.float32, copy=False)


def audio_frame(samples: NDArray[np.float32], sample_rate: int) -> AudioFrame:
    """Return mono samples, float32[n], as a frame of that rate in Hz."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples)[np.newaxis], format="fltp", layout="mono")
    frame.sample_rate = sample_rate
    return frame
