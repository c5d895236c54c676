"""Log-mel features of windows for Whisper's encoder, filled up with silence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100
WINDOW_S = 30.0
"""Length that Whisper was trained on."""

SHORT_PADDING_S = 3.0
"""Silence after a short input. With less, sentences start to repeat; with more, only the cost grows."""

# Features are (log10(power) + 4) / 4, clipped at 8 decades below the loudest and at a power of 1e-10.
_RANGE = 2.0
_LEAST = -1.5


def features(model: "WhisperModel", windows: Sequence[NDArray[np.float32]], *, short: bool) -> NDArray[np.float32]:
    """Return the features of windows that are encoded together.

    Silence fills them up, as in Whisper's training; faster-whisper itself fills up with zeros, which are the features
    of noise, and hears more words wrong.

    Args:
        model: The network, for its filter bank.
        windows: Mono float32 at 16 kHz, shape [samples] each, up to 30 s.
        short: Fill up to the longest window and ``SHORT_PADDING_S``, in whole seconds, instead of to 30 s. The
            encoder's cost grows with its input, so that a sentence costs a third.

    Returns:
        Shape [windows, mel bands, frames of 10 ms].
    """
    seconds = WINDOW_S
    if short:
        longest = max(len(window) for window in windows) / SAMPLE_RATE
        seconds = min(WINDOW_S, float(np.ceil(longest + SHORT_PADDING_S)))
    frames = round(seconds * FRAMES_PER_SECOND)
    return np.stack([_filled(model.feature_extractor(window)[..., :-1], frames) for window in windows])


def _filled(mel: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    missing = max(0, frames - mel.shape[-1])
    silence = max(float(mel.max()) - _RANGE, _LEAST) if mel.size else _LEAST
    return np.pad(mel[..., :frames], ((0, 0), (0, missing)), constant_values=silence)
