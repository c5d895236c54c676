"""A lip-sync role that needs no engine: the mouth is a square that is as bright as the speech is loud."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from deployments.references import SharedFace
from fake_roles.failures import Failing
from models.audio import SAMPLE_RATE
from models.errors import InputError
from models.lipsync import FRAMES_PER_SECOND, Patches, PreparedFace, Shot
from models.video.footage import open_footage
from models.video.types import AvatarKind

PATCH = 16
ENGINE = "fake-1"
_SAMPLES = SAMPLE_RATE // FRAMES_PER_SECOND


def mouth_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Return where the square is in a frame of that size: the middle third."""
    return width // 3, height // 3, 2 * width // 3, 2 * height // 3


def prepared_face(width: int, height: int, *, frames: int = 1, faces: int = 1, made_by: str = ENGINE) -> PreparedFace:
    boxes = np.tile(np.array(mouth_box(width, height), np.int32), (frames, 1))
    return PreparedFace(boxes, np.full((PATCH, PATCH), 255, np.uint8), faces, {"made_by": np.array(made_by)})


def brightness(shot: Shot, frame: int) -> int:
    """Return how bright the mouth of one of the film's frames is, 0 to 255: twice the mean of its speech."""
    begin = frame * _SAMPLES - shot.offset
    heard = shot.pcm[begin : begin + _SAMPLES]
    return round(min(1.0, 2 * float(np.abs(heard).mean())) * 255) if len(heard) else 0


async def _at_once() -> None:
    return None


class FakeLipsync(Failing):
    """Draws as described above.

    Args:
        faces: How many faces it sees in every avatar; with none, it refuses it.
        device: What it computes on.
        before: Awaited before each shot; what it raises, the role raises.

    Attributes:
        engine: Its fingerprint.
        faces: See above.
        prepared: What it was asked to prepare: kinds, with the correlation ids.
        preparing: Set when it begins to.
        gate: Awaited before a face is prepared, if there is one.
        shots: What it was asked to draw.
        drawing: Shots under way, and ``most_drawing`` the most at once.
        cancelled: Shots that were given up.
    """

    def __init__(
        self, *, faces: int = 1, device: str = "cpu", before: Callable[[], Awaitable[None]] = _at_once
    ) -> None:
        super().__init__()
        self._before = before
        self._device = device
        self.engine = ENGINE
        self.faces = faces
        self.prepared: list[tuple[AvatarKind, str]] = []
        self.preparing = asyncio.Event()
        self.gate: asyncio.Event | None = None
        self.shots: list[Shot] = []
        self.drawing = 0
        self.most_drawing = 0
        self.cancelled = 0

    async def fingerprint(self) -> str:
        self.raise_ordered("fingerprint")
        return self.engine

    async def device(self) -> str:
        self.raise_ordered("device")
        return self._device

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> tuple[bytes, str]:
        self.prepared.append((kind, correlation_id))
        self.preparing.set()
        if self.gate is not None:
            await self.gate.wait()
        self.raise_ordered("prepare")
        if not self.faces:
            raise InputError("no_face", "There is no face.", field="file")
        with closing(open_footage(avatar, kind)) as footage:
            face = prepared_face(
                footage.width, footage.height, frames=footage.frames, faces=self.faces, made_by=self.engine
            )
        return face.to_bytes(), self.engine

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str) -> Patches:
        assert face.key.endswith(self.engine)
        self.shots.append(shot)
        self.drawing += 1
        self.most_drawing = max(self.most_drawing, self.drawing)
        try:
            await self._before()
            return draw(shot)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.drawing -= 1


def draw(shot: Shot) -> Patches:
    shades = np.array([brightness(shot, frame) for frame in range(shot.first, shot.first + shot.count)], np.uint8)
    different, order = np.unique(shades, return_inverse=True)
    images: NDArray[np.uint8] = np.broadcast_to(
        different[:, None, None, None], (len(different), PATCH, PATCH, 3)
    ).copy()
    return Patches(images, order.astype(np.int32))
