"""Recordings in the object store: where they lie, and how they become samples."""

import asyncio
import os
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from deployments.references import Recording
from graphs.common.config import RecordingLimits
from models.audio import SAMPLE_RATE, AudioInfo, AudioLimits, Waveform, decode, probe, stream
from storage.objects import ObjectStore

UPLOADS = "uploads"
JOBS = "jobs"
BLOCK_SECONDS = 64.0


@dataclass(frozen=True)
class SharedRecording:
    """A decoded recording, held once for all processes of a machine.

    Attributes:
        reference: What roles are given: a reference, or the samples themselves within one process.
        samples: float32[samples] at 16 kHz, read-only.
    """

    reference: Recording
    samples: NDArray[np.float32]

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.samples) / SAMPLE_RATE


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


async def decode_recording(
    objects: ObjectStore, key: str, limits: AudioLimits, waveform: Waveform
) -> NDArray[np.float32]:
    """Decode a stored recording to mono float32 at 16 kHz, and outline it; errors as for ``probe_recording``."""

    def read() -> NDArray[np.float32]:
        with objects.open(key) as source:
            samples = decode(source, limits)
        for block in blocks_of(samples):
            waveform.add(block)
        return samples

    return await asyncio.to_thread(read)


def stream_recording(
    objects: ObjectStore, key: str, limits: AudioLimits, waveform: Waveform, on_read: Callable[[float], None]
) -> Generator[NDArray[np.float32], None, None]:
    """Decode a stored recording block by block, in memory that does not grow with its length.

    It blocks: iterate it in a thread. Nothing is opened before the first block is asked for; close it to let go of the
    object early.

    Args:
        objects: Where it lies.
        key: Its key.
        limits: What to accept.
        waveform: Outlines it on the way.
        on_read: Told the share of the object that was read, 0 to 1, before each block.

    Yields:
        Mono float32 at 16 kHz, ``BLOCK_SECONDS`` long but for the last.

    Raises:
        InputError: As for ``probe_recording``; what shows only at the end, after the last block.
        ObjectNotFound: There is no such object.
    """
    with objects.open(key) as source:
        size = source.seek(0, os.SEEK_END)
        for block in stream(source, limits, block_seconds=BLOCK_SECONDS):
            on_read(min(1.0, source.tell() / size))
            waveform.add(block)
            yield block


def blocks_of(samples: NDArray[np.float32]) -> Generator[NDArray[np.float32], None, None]:
    """Yield samples in blocks of ``BLOCK_SECONDS``, without a copy."""
    step = int(BLOCK_SECONDS * SAMPLE_RATE)
    for start in range(0, len(samples), step):
        yield samples[start : start + step]
