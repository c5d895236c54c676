"""Lip-sync as a Ray Serve deployment, and its client."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from contextvars import ContextVar
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import structlog
from numpy.typing import NDArray
from ray.serve.handle import DeploymentHandle

from deployments.batched_replica import BatchedReplica
from deployments.client import Remembered, RoleClient, call
from deployments.errors import FaceOfAnotherEngine
from deployments.multiplexing import multiplexed
from deployments.references import SharedFace
from deployments.replica import deployment_of
from deployments.sample import warm_up_speech
from models.audio import SAMPLE_RATE
from models.errors import InputError
from models.gpu_share import retry_once
from models.lipsync import (
    CONTEXT_AFTER_S,
    CONTEXT_BEFORE_S,
    FRAMES_PER_SECOND,
    LipsyncEngine,
    LipsyncSettings,
    Patches,
    PreparedFace,
    Shot,
    build,
)
from models.samples import PORTRAIT
from models.video.types import AvatarKind

MAX_FRAMES_PER_CALL = 250
MAX_QUEUED_FRAMES = 10_000
MAX_AVATAR_BYTES = 256 * 1024 * 1024
_SAMPLE_FRAMES = 10

FINGERPRINT_KNOWN_S = 10.0
"""Seconds for which a client remembers the engine's fingerprint: every film asks for it."""

_Item = tuple[PreparedFace, Shot]
_log = structlog.get_logger()

# What the call under way offers as its face: what loads a face is told no more than its key.
_OFFERED: ContextVar[Any] = ContextVar("offered")


class LipsyncReplica(BatchedReplica[LipsyncEngine, _Item, Patches]):
    """Serves one lip-sync engine; draws the frames of all callers in shared batches.

    Args:
        settings: Which engine, and its settings.
        max_batch_frames: Frames that the engine is given at once.
        batch_wait_ms: How long a batch that is not full may be held back; see ``deployments.batching.Batcher``.
        concurrency: Batches that the engine works on at once.
        max_faces: Prepared faces that are kept in memory; the least recently used goes first.
        log_level: Least level that is logged.
        notice: Sentence on the engine that this one stands in for.
    """

    def __init__(
        self,
        settings: LipsyncSettings,
        max_batch_frames: int = 128,
        batch_wait_ms: float = 5.0,
        concurrency: int = 2,
        max_faces: int = 32,
        log_level: str = "INFO",
        notice: str | None = None,
    ) -> None:
        self._sample: tuple[LipsyncEngine, PreparedFace | None] | None = None
        self._sampling = threading.Lock()
        self._known: WeakValueDictionary[str, PreparedFace] = WeakValueDictionary()
        super().__init__(
            "lipsync",
            settings,
            build,
            self._draw_sample,
            self._draw,
            size_field="max_batch_frames",
            max_batch_cost=max_batch_frames,
            max_queued_cost=MAX_QUEUED_FRAMES,
            batch_wait_ms=batch_wait_ms,
            concurrency=concurrency,
            log_level=log_level,
            notice=notice,
        )

        async def load_face(key: str) -> PreparedFace:
            return await self._load_face(key)

        self._faces = multiplexed(load_face, max_faces)

    async def fingerprint(self) -> str:
        """Return what a prepared face depends on besides the avatar."""
        return self.engine.fingerprint

    async def device(self) -> str:
        """Return what the engine computes on: cpu or cuda."""
        return self.engine.device

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str = "") -> tuple[bytes, str]:
        """Do all that can be done for an avatar without speech; see ``graphs.common.roles.LipsyncRole``."""
        if len(avatar) > MAX_AVATAR_BYTES:
            raise ValueError(f"an avatar's file has at most {MAX_AVATAR_BYTES} bytes, not {len(avatar)}")
        # Another engine may take this one's place while the call goes on.
        engine = self.engine
        with self.serving(0, correlation_id):
            face = await self.call(retry_once, _prepared, engine, avatar, kind)
            return face.to_bytes(), engine.fingerprint

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str = "") -> Patches:
        """Draw a shot; see ``graphs.common.roles.LipsyncRole``.

        Raises:
            FaceOfAnotherEngine: The face was prepared by another engine than the one in force.
            QueueFull: Too many frames are waiting.
        """
        _check(shot)
        if not face.key.endswith(self.engine.fingerprint):
            raise FaceOfAnotherEngine(f"the face {face.key} is not of {self.engine.fingerprint}")
        with self.serving(len(shot.pcm), correlation_id):
            _OFFERED.set(face.reference)
            prepared = await self._faces(face.key)
            (patches,) = await self._batcher.submit(
                [(prepared, shot)], caller=correlation_id or None, cost=lambda item: item[1].count
            )
            return patches

    async def describe(self) -> dict[str, Any]:
        """Return the settings in force, and the prepared faces that are in memory."""
        return {
            **await super().describe(),
            "faces": sorted(self._known),
        }

    async def _load_face(self, key: str) -> PreparedFace:
        offered = _OFFERED.get()
        data: bytes = offered if isinstance(offered, bytes) else await offered
        face = self._known[key] = await self.call(PreparedFace.from_bytes, data)
        return face

    def _draw(self, items: Sequence[_Item]) -> list[Patches]:
        return self.engine.animate(items)

    def _draw_sample(self, engine: LipsyncEngine) -> None:
        """Let the bundled portrait say the beginning of the bundled dialogue, if it can.

        Raises:
            RuntimeError: It does not move.
        """
        with self._sampling:
            if self._sample is None or self._sample[0] is not engine:
                self._sample = engine, _sample_face(engine)
            face = self._sample[1]
        if face is None:
            return
        speech = warm_up_speech()
        first = int(np.abs(speech).argmax() / SAMPLE_RATE * FRAMES_PER_SECOND)
        first = max(0, first - _SAMPLE_FRAMES // 2)
        (patches,) = engine.animate([(face, _shot(speech, first, _SAMPLE_FRAMES))])
        if (patches.images == patches.images[:1]).all():
            raise RuntimeError("the face does not move with the speech")


def _prepared(engine: LipsyncEngine, avatar: bytes, kind: AvatarKind) -> PreparedFace:
    from models.video.footage import open_footage

    with closing(open_footage(avatar, kind)) as footage:
        return engine.prepare(footage.unique())


def _sample_face(engine: LipsyncEngine) -> PreparedFace | None:
    """Return the bundled portrait's face; None where the engine's detector, made for photographs, does not see it."""
    try:
        return _prepared(engine, PORTRAIT.read_bytes(), "still")
    except InputError as error:
        _log.warning("the bundled portrait can't speak with this engine", reason=error.message)
        return None


def _shot(speech: NDArray[np.float32], first: int, count: int) -> Shot:
    """Return a shot of a film whose whole sound this is."""
    samples = SAMPLE_RATE // FRAMES_PER_SECOND
    start = max(0, first * samples - int(CONTEXT_BEFORE_S * SAMPLE_RATE))
    stop = (first + count) * samples + int(CONTEXT_AFTER_S * SAMPLE_RATE)
    return Shot(speech[start:stop], start, stop >= len(speech), first, count)


def _check(shot: Shot) -> None:
    if not 1 <= shot.count <= MAX_FRAMES_PER_CALL:
        raise ValueError(f"a shot has 1 to {MAX_FRAMES_PER_CALL} frames, not {shot.count}")
    if shot.first < 0 or shot.offset < 0:
        raise ValueError("a film begins with frame 0 and sample 0")
    if shot.pcm.ndim != 1 or shot.pcm.dtype != np.float32:
        raise ValueError(f"speech must be float32[samples], not {shot.pcm.dtype}{list(shot.pcm.shape)}")
    most = shot.count / FRAMES_PER_SECOND + CONTEXT_BEFORE_S + CONTEXT_AFTER_S + 1.0
    if len(shot.pcm) > most * SAMPLE_RATE:
        raise ValueError(f"a shot of {shot.count} frames comes with at most {most:.1f} s of speech")
    if not np.isfinite(shot.pcm).all():
        raise ValueError("speech must hold finite samples")


class LipsyncClient(RoleClient):
    """The lip-sync deployment behind its handle; see ``graphs.common.roles.LipsyncRole``.

    Args:
        handle: The deployment's.
        clock: Tells the time in seconds.
    """

    def __init__(self, handle: DeploymentHandle[Any], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(handle, clock)
        self._fingerprint: Remembered[str] = Remembered(FINGERPRINT_KNOWN_S, clock)

    async def fingerprint(self) -> str:
        """Return the engine's fingerprint, as it was at most ``FINGERPRINT_KNOWN_S`` ago."""
        return await self._fingerprint.get(lambda: call(self.handle.fingerprint))

    async def device(self) -> str:
        """Return what the engine computes on."""
        device: str = await call(self.handle.device)
        return device

    async def prepare(self, avatar: bytes, kind: AvatarKind, *, correlation_id: str) -> tuple[bytes, str]:
        """Return the prepared face, and the fingerprint of the engine that made it."""
        prepared: tuple[bytes, str] = await call(self.handle.prepare, avatar, kind, correlation_id=correlation_id)
        return prepared

    async def animate(self, face: SharedFace, shot: Shot, *, correlation_id: str) -> Patches:
        """Draw a shot; it goes to a replica that knows the face, where there is one."""
        method = self.handle.options(multiplexed_model_id=face.key).animate
        # Within the face: Serve would fetch a bare reference before every call, for replicas that have long known it.
        patches: Patches = await call(method, face, shot, correlation_id=correlation_id)
        return patches


# Frames of several films fill a batch, and the next are to be there when the engine frees.
lipsync_deployment = deployment_of(LipsyncReplica, "lipsync", max_ongoing_requests=64)
