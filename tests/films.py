"""Films taken apart: their frames, their sound, and how far the mouth is open in each frame."""

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
FRAMES_PER_SECOND = 25


@dataclass(frozen=True)
class Film:
    """A film that was taken apart.

    Attributes:
        frames: uint8[n, height, width]: the lightness of each picture.
        times: Seconds at which each is seen, float64[n].
        sound: Mono float32 at 16 kHz; sample 0 is heard at 0 s.
        tags: What the file says of itself.
    """

    frames: NDArray[np.uint8]
    times: NDArray[np.float64]
    sound: NDArray[np.float32]
    tags: dict[str, str]

    @property
    def levels(self) -> NDArray[np.float64]:
        """How loud it is while each frame is seen, RMS."""
        step = RATE // FRAMES_PER_SECOND
        padded = np.zeros(len(self.frames) * step, np.float64)
        padded[: len(self.sound)] = self.sound[: len(padded)]
        return np.sqrt((padded.reshape(-1, step) ** 2).mean(axis=1))

    @property
    def openings(self) -> NDArray[np.float64]:
        """How far the mouth is open in each picture: how much its pixels differ from the last one's, where it is shut.

        The mouth is the hundredth of the lower half that changes most.
        """
        lower = self.frames[:, self.frames.shape[1] // 2 :].reshape(len(self.frames), -1).astype(np.float32)
        changes = lower.std(axis=0)
        mouth = lower[:, changes >= np.quantile(changes, 0.99)]
        return np.abs(mouth - mouth[-1]).mean(axis=1).astype(np.float64)


def take_apart(data: bytes) -> Film:
    """Decode an MP4."""
    frames, times = [], []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            frames.append(frame.to_ndarray(format="gray"))
            times.append(float(frame.time))
        tags = dict(container.metadata)
    return Film(np.stack(frames), np.array(times), _sound(data), tags)


def _sound(data: bytes) -> NDArray[np.float32]:
    """Return the sound from 0 s on: what is heard before that, the encoder's run-up, is left out."""
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    pieces: list[NDArray[np.float32]] = []
    began: float | None = None
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            began = float(frame.time) if began is None else began
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    assert began is not None
    shift = round(began * RATE)
    sound = np.concatenate(pieces)
    return sound[-shift:] if shift < 0 else np.concatenate([np.zeros(shift, np.float32), sound])


def lag_of(picture: NDArray[np.float64], sound: NDArray[np.float64], most: int = 10) -> tuple[int, float]:
    """Return by how many frames the picture is late, and how well the two agree then (Pearson's r)."""
    agreements = {}
    for lag in range(-most, most + 1):
        late, early = picture[max(lag, 0) : len(picture) + min(lag, 0)], sound[max(-lag, 0) : len(sound) - max(lag, 0)]
        agreements[lag] = float(np.corrcoef(late, early)[0, 1])
    best = max(agreements, key=lambda lag: agreements[lag])
    return best, agreements[best]
