"""Files of requests, written as they arrive: into the object store, or into a temporary file of this process."""

import asyncio
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from storage.objects import ObjectInfo, ObjectStore, ObjectWriter

WRITE_BYTES = 1024 * 1024
NO_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class ReceivedFile:
    """A file of a form. As the type of a model's field it declares which file a form has.

    Attributes:
        filename: The client's name for it; empty where it has none.
        content_type: The client's name for its type, in lower case and without parameters.
    """

    filename: str
    content_type: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class StoredFile(ReceivedFile):
    """A file in the object store, below its owner's uploads; whoever received it erases it or gives it to a job."""

    info: ObjectInfo


@dataclass(frozen=True)
class SpooledFile(ReceivedFile):
    """A file of this process: in memory while it is small, else on disk; gone when it is closed."""

    file: BinaryIO


FileT = TypeVar("FileT", bound=ReceivedFile)


class Sink(ABC, Generic[FileT]):
    """The place where a file is written to. Its methods block, except ``begin``."""

    def __init__(self) -> None:
        self.filename, self.content_type = "", NO_TYPE

    def begin(self, filename: str, content_type: str) -> None:
        """Take the client's description of the file."""
        self.filename, self.content_type = filename, content_type or NO_TYPE

    @abstractmethod
    def write(self, data: bytearray) -> None:
        """Append bytes."""

    @abstractmethod
    def commit(self) -> FileT:
        """Complete the file and return it."""

    @abstractmethod
    def discard(self) -> None:
        """Leave nothing behind, before or after the commit."""


class ObjectSink(Sink[StoredFile]):
    """Writes an object.

    Args:
        objects: The object store.
        key: Key of the object.
        limit: Most bytes; beyond them ``write`` raises ObjectTooLarge.
        content_type: Type of the object, where ``begin`` is told none.
    """

    def __init__(self, objects: ObjectStore, key: str, limit: int, content_type: str | None = None) -> None:
        super().__init__()
        self._objects, self._key, self._limit, self._stored_type = objects, key, limit, content_type
        self._writer: ObjectWriter | None = None
        self._committed = False

    def begin(self, filename: str, content_type: str) -> None:
        """Take the client's description of the file."""
        super().begin(filename, content_type)
        self._stored_type = self.content_type

    def write(self, data: bytearray) -> None:
        """Append bytes."""
        if self._writer is None:
            self._writer = self._objects.writer(self._key, content_type=self._stored_type, limit=self._limit)
        self._writer.write(data)

    def commit(self) -> StoredFile:
        """Make the object visible."""
        self.write(bytearray())
        assert self._writer is not None
        info = self._writer.commit()
        self._committed = True
        return StoredFile(self.filename, self.content_type, info)

    def discard(self) -> None:
        """Abort the object or erase it."""
        if self._committed:
            self._objects.delete(self._key)
        elif self._writer is not None:
            self._writer.abort()


class SpoolSink(Sink[SpooledFile]):
    """Writes a temporary file that is in memory up to ``WRITE_BYTES``. Who receives it bounds it."""

    def __init__(self) -> None:
        super().__init__()
        self._file = tempfile.SpooledTemporaryFile(max_size=WRITE_BYTES)

    def write(self, data: bytearray) -> None:
        """Append bytes."""
        self._file.write(data)

    def commit(self) -> SpooledFile:
        """Return the file, at its beginning."""
        self._file.seek(0)
        return SpooledFile(self.filename, self.content_type, self._file)  # type: ignore[arg-type]

    def discard(self) -> None:
        """Close the file, which erases it."""
        self._file.close()


class BufferedSink(Generic[FileT]):
    """A sink behind a buffer of ``WRITE_BYTES``, its blocking calls in threads."""

    def __init__(self, sink: Sink[FileT]) -> None:
        self._sink = sink
        self._buffer = bytearray()

    async def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        self._buffer += data
        if len(self._buffer) >= WRITE_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        full, self._buffer = self._buffer, bytearray()
        await asyncio.to_thread(self._sink.write, full)

    async def commit(self) -> FileT:
        """Complete the file and return it."""
        await self._flush()
        return await asyncio.to_thread(self._sink.commit)

    async def discard(self) -> None:
        """Leave nothing behind; done to the end also when the request is cancelled."""
        await asyncio.shield(asyncio.to_thread(self._sink.discard))


async def write_all(body: AsyncIterator[bytes], sink: Sink[FileT]) -> FileT:
    """Write a whole body to a sink as it arrives; on an error nothing is left behind."""
    buffered = BufferedSink(sink)
    try:
        async for chunk in body:
            await buffered.write(chunk)
        return await buffered.commit()
    except BaseException:
        await buffered.discard()
        raise
