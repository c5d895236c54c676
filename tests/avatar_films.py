"""Avatars that are ready to be filmed, speech for them, and films taken apart."""

import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import av
import cv2
import numpy as np
from fake_roles.lipsync import ENGINE, mouth_box, prepared_face
from numpy.typing import NDArray

from deployments.references import SharedFace
from graphs.avatar.library import ReadyAvatar
from models.lipsync import FRAMES_PER_SECOND
from models.speech import SpeechChunk

SIDE = 96
RATE = 22_050

Samples = NDArray[np.float32]


def picture(side: int = SIDE) -> bytes:
    """Return a grey PNG."""
    return cv2.imencode(".png", np.full((side, side, 3), 90, np.uint8))[1].tobytes()


def ready_avatar(side: int = SIDE, *, faces: int = 1) -> ReadyAvatar:
    face = prepared_face(side, side, faces=faces)
    shared = SharedFace(f"grey-{ENGINE}", face.to_bytes())
    return ReadyAvatar("still", picture(side), face, shared, side, side, faces)


def syllables(seconds: float, rate: int = RATE, each: float = 0.4) -> Samples:
    """Return speech that is loud and silent in turn, a tone of 200 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    loud = (time / each).astype(int) % 2
    return (0.7 * loud * np.sin(2 * np.pi * 200 * time)).astype(np.float32)


@dataclass
class Speech:
    """Says samples chunk by chunk, and notes how far it came.

    Attributes:
        chunks: Lengths of the chunks in samples; the last one's again and again.
        error: Raised at the end.
        said: Chunks that were asked for.
        closed: Whether nobody will ask any more.
    """

    samples: Samples
    rate: int = RATE
    chunks: Sequence[int] = (2205,)
    error: Exception | None = None
    said: int = 0
    closed: bool = False

    async def stream(self) -> AsyncGenerator[SpeechChunk, None]:
        position = 0
        try:
            while position < len(self.samples):
                length = self.chunks[min(self.said, len(self.chunks) - 1)]
                self.said += 1
                yield SpeechChunk(self.samples[position : position + length], self.rate)
                position += length
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


@dataclass
class Decoded:
    """A film.

    Attributes:
        mouth: Luma in the middle of the mouth, by frame.
        times: Of the frames, in seconds.
        sound: Mono.
        sound_rate: In Hz.
        tags: Of the file.
    """

    mouth: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    sound: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    sound_rate: int = 0
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def loud(self) -> list[float]:
        """Mean level of the sound, by frame."""
        step = self.sound_rate / FRAMES_PER_SECOND
        return [
            float(np.abs(self.sound[round(frame * step) : round((frame + 1) * step)]).mean())
            for frame in range(len(self.times))
        ]


def decoded(data: bytes) -> Decoded:
    film = Decoded()
    with av.open(io.BytesIO(data), "r") as container:
        film.tags = dict(container.metadata)
        for frame in container.decode(video=0):
            left, top, right, bottom = mouth_box(frame.width, frame.height)
            luma = frame.to_ndarray()[: frame.height]
            film.mouth.append(int(luma[(top + bottom) // 2, (left + right) // 2]))
            film.times.append(float(frame.time or 0))
    with av.open(io.BytesIO(data), "r") as container:
        pieces = []
        for sound in container.decode(audio=0):
            film.sound_rate = sound.sample_rate
            pieces.append(sound.to_ndarray().mean(axis=0))
        film.sound = np.concatenate(pieces)
    return film
