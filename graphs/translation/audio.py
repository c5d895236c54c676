"""The translated recording as a file, encoded as it comes and stored as a whole."""

import asyncio
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.audio.encoding import AudioEncoder, AudioFormat, SyntheticMark
from storage.objects import ObjectInfo, ObjectStore

T = TypeVar("T")
_MIB = 1024 * 1024


class AudioFile:
    """A file in the making, on this machine's disk until it is stored; its work is done in a thread of its own.

    Args:
        audio_format: Of the file.
        sample_rate: Of the samples that are written, in Hz.
        mark: What the file says of its origin.
    """

    def __init__(self, audio_format: AudioFormat, sample_rate: int, mark: SyntheticMark) -> None:
        self._encoder = AudioEncoder(audio_format, sample_rate, tags=mark)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audio-file")
        self._file = TemporaryFile()
        self._header = self._encoder.write(np.zeros(0, np.float32)) if audio_format == "wav" else b""
        self._file.write(self._header)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Behind a write that was cancelled but can't be stopped in its thread.
        self._thread.submit(self._file.close)
        self._thread.shutdown(wait=False)

    async def write(self, samples: NDArray[np.float32]) -> None:
        """Add mono float32[n]."""
        await self._in_thread(self._write, samples)

    async def store(self, objects: ObjectStore, key: str) -> ObjectInfo:
        """End the file and put it into the object store."""
        return await self._in_thread(self._store, objects, key)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _write(self, samples: NDArray[np.float32]) -> None:
        self._file.write(self._encoder.write(samples))

    def _store(self, objects: ObjectStore, key: str) -> ObjectInfo:
        self._file.write(self._encoder.finish())
        if self._header:
            self._tell_length()
        self._file.seek(0)
        with objects.writer(key, content_type=self._encoder.media_type) as writer:
            while piece := self._file.read(_MIB):
                writer.write(piece)
            return writer.commit()

    def _tell_length(self) -> None:
        # The encoder can't go back; a WAV says its length at the beginning, in RIFF's header and in its data's.
        size = self._file.tell()
        self._file.seek(4)
        self._file.write(struct.pack("<I", size - 8))
        self._file.seek(len(self._header) - 4)
        self._file.write(struct.pack("<I", size - len(self._header)))
