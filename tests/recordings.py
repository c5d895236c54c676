"""Parts of the bundled recording, for what need not wait until all of it was recognised, and noise in any format."""

import io

import av
import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode, encode
from models.samples import DIALOGUE

# Ends of turns. Both speakers are told apart in either; in less they are not.
THREE_TURNS_S = 10.2
FIVE_TURNS_S = 17.2


def beginning(seconds: float, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Return the first seconds of the bundled recording, mono."""
    with DIALOGUE.open("rb") as file:
        return decode(file, sample_rate=sample_rate)[: round(seconds * sample_rate)]


def beginning_as_flac(seconds: float) -> bytes:
    return encode([beginning(seconds)], "flac", SAMPLE_RATE)


def encoded(form: str, codec: str, seconds: float) -> bytes:
    """Return noise as a file of a format, by its FFmpeg names."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=16_000)
        noise = (np.random.default_rng(7).normal(size=(1, int(seconds * 16_000))) * 3000).astype("<i2")
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate = 16_000
        resampler = av.AudioResampler(stream.format, stream.layout, stream.rate, frame_size=stream.frame_size or None)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()
