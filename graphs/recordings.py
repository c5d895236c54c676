"""Recordings in the object store: where they lie, and how they become samples."""

import asyncio
import os
from collections.abc import Iterable
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from graphs.config import RecordingLimits
from models.audio import AudioInfo, AudioLimits, decode, probe
from storage.objects import ObjectStore

UPLOADS = "uploads"
JOBS = "jobs"


def new_upload_key(owner_id: int) -> str:
    """Return a fresh key for an owner's upload."""
    return f"{owner_prefix(owner_id)}{uuid4().hex}"


def owner_prefix(owner_id: int) -> str:
    """Return the prefix below which all of an owner's uploads lie, and nobody else's."""
    return f"{UPLOADS}/{owner_id}/"


def result_key(job_id: UUID, attempt: int, name: str) -> str:
    """Return the key of an artifact; each attempt writes its own, so a late one overwrites nothing."""
    return f"{JOBS}/{job_id}/{attempt}/{name}"


def erase_objects(objects: ObjectStore, keys: Iterable[str]) -> int:
    """Erase objects that the job store says nobody needs any more; a key that ends in a slash is a prefix."""
    erased = 0
    for key in keys:
        if key.endswith("/"):
            erased += objects.delete_prefix(key)
        else:
            objects.delete(key)
            erased += 1
    return erased


def audio_limits(limits: RecordingLimits, allow_truncated: bool) -> AudioLimits:
    """Return the decoder's view of the limits."""
    return AudioLimits(min_seconds=limits.min_seconds, max_seconds=limits.max_seconds, allow_truncated=allow_truncated)


async def probe_recording(objects: ObjectStore, key: str, limits: AudioLimits) -> tuple[int, AudioInfo]:
    """Look at a stored recording's header.

    Returns:
        The size in bytes, and what the header says.

    Raises:
        InputError: It is no recording that can be used.
        ObjectNotFound: There is no such object.
    """

    def look() -> tuple[int, AudioInfo]:
        with objects.open(key) as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(0)
            return size, probe(source, limits, size=size)

    return await asyncio.to_thread(look)


async def decode_recording(objects: ObjectStore, key: str, limits: AudioLimits) -> NDArray[np.float32]:
    """Decode a stored recording to mono float32 at 16 kHz; errors as for ``probe_recording``."""

    def read() -> NDArray[np.float32]:
        with objects.open(key) as source:
            return decode(source, limits)

    return await asyncio.to_thread(read)
