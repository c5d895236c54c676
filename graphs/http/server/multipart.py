"""Multipart forms received as a stream: the file goes to the object store as it arrives, never whole into memory.

Follows RFC 7578; parsing by python-multipart's push parser.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from graphs.common.errors import ApiError
from storage.objects import ObjectInfo, ObjectStore, ObjectTooLarge, ObjectWriter

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

WRITE_BYTES = 1024 * 1024
MAX_FIELDS = 32
MAX_FIELD_BYTES = 16 * 1024
# The form's own lines around the file: boundaries, headers, fields.
FORM_OVERHEAD_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ReceivedFile:
    """A file of a form, stored."""

    info: ObjectInfo
    filename: str
    content_type: str


@dataclass(frozen=True)
class ReceivedForm:
    """A form: its one file, where it had one, and its text fields."""

    file: ReceivedFile | None
    fields: dict[str, str]


async def receive_body(request: Request, chunk_timeout: float) -> AsyncIterator[bytes]:
    """Yield the request's body as it arrives.

    Raises:
        ApiError: 408 when nothing arrives for ``chunk_timeout`` seconds, 400 when the client leaves.
    """
    stream = request.stream()
    try:
        while True:
            async with asyncio.timeout(chunk_timeout):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            yield chunk
    except TimeoutError:
        raise ApiError(
            408, "upload_timeout", f"The upload sent nothing for {chunk_timeout:g} seconds.", field="file"
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "upload_aborted", "The upload ended early.", field="file") from None


async def store_body(
    body: AsyncIterator[bytes], objects: ObjectStore, key: str, *, content_type: str | None, limit: int
) -> ObjectInfo:
    """Write a body to the object store as it arrives.

    Raises:
        ObjectTooLarge: It has more than ``limit`` bytes; nothing is left behind.
    """
    sink = _Sink(objects, key, content_type, limit)
    try:
        async for chunk in body:
            await sink.write(chunk)
        return await sink.commit()
    except BaseException:
        await sink.abort()
        raise


async def receive_form(
    request: Request, objects: ObjectStore, key: str, *, file_field: str, limit: int, chunk_timeout: float
) -> ReceivedForm:
    """Receive a multipart form with one file.

    Args:
        request: The request, its body unread.
        objects: Where the file goes.
        key: The key it gets.
        file_field: The name of the file's part; any other file is refused.
        limit: Largest file in bytes.
        chunk_timeout: Longest silence of the client in seconds.

    Raises:
        ApiError: The form is malformed or has parts that don't belong to it.
        ObjectTooLarge: The file has more than ``limit`` bytes; nothing is left behind.
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise ApiError(415, "not_multipart", "Send the file as multipart/form-data.", field="Content-Type")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + FORM_OVERHEAD_BYTES:
        raise ObjectTooLarge(key, limit)
    form = _Form(objects, key, file_field, limit)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in receive_body(request, chunk_timeout):
            parser.write(chunk)
            await form.drain()
        parser.finalize()
        await form.drain()
        return await form.finish()
    except MultipartParseError as error:
        await form.abort()
        raise ApiError(400, "malformed_form", f"The multipart form is malformed: {error}", field="body") from error
    except BaseException:
        await form.abort()
        raise


class _Sink:
    """An object writer behind a buffer, its blocking calls in threads."""

    def __init__(self, objects: ObjectStore, key: str, content_type: str | None, limit: int) -> None:
        self._objects, self._key, self._content_type, self._limit = objects, key, content_type, limit
        self._writer: ObjectWriter | None = None
        self._buffer = bytearray()

    async def write(self, data: bytes | memoryview) -> None:
        self._buffer += data
        if len(self._buffer) >= WRITE_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        full, self._buffer = self._buffer, bytearray()
        await asyncio.to_thread(self._write, full)

    def _write(self, data: bytearray) -> None:
        if self._writer is None:
            self._writer = self._objects.writer(self._key, content_type=self._content_type, limit=self._limit)
        self._writer.write(data)

    async def commit(self) -> ObjectInfo:
        await self._flush()
        assert self._writer is not None
        return await asyncio.to_thread(self._writer.commit)

    async def abort(self) -> None:
        if self._writer is not None:
            await asyncio.shield(asyncio.to_thread(self._writer.abort))


class _Form:
    """Collects the parser's callbacks, then acts on them where waiting is possible."""

    def __init__(self, objects: ObjectStore, key: str, file_field: str, limit: int) -> None:
        self._objects, self._key, self._file_field, self._limit = objects, key, file_field, limit
        self._fields: dict[str, str] = {}
        self._headers: dict[str, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._pending: list[bytes] = []
        self._field: tuple[str, bytearray] | None = None
        self._sink: _Sink | None = None
        self._in_file = False
        self._filename = ""
        self._content_type = "application/octet-stream"
        self._ended = False

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_header_end(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        _disposition, options = parse_options_header(self._headers.get("content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options or name == self._file_field:
            self._begin_file(name, options.get(b"filename", b""))
        else:
            self._begin_field(name)

    def _begin_file(self, name: str, filename: bytes) -> None:
        if name != self._file_field:
            raise ApiError(422, "unknown_field", f"{name!r} is not a file of this form.", field=name)
        if self._sink is not None:
            raise ApiError(422, "duplicate_field", "The form has more than one file.", field=name)
        self._in_file = True
        self._filename = filename.decode("utf-8", "replace")[:255]
        content_type = self._headers.get("content-type", b"").decode("latin-1").split(";")[0].strip().lower()
        self._content_type = content_type or self._content_type
        self._sink = _Sink(self._objects, self._key, self._content_type, self._limit)

    def _begin_field(self, name: str) -> None:
        if name in self._fields:
            raise ApiError(422, "duplicate_field", f"The field {name!r} stands twice.", field=name)
        if len(self._fields) >= MAX_FIELDS:
            raise ApiError(422, "too_many_fields", f"The form has more than {MAX_FIELDS} fields.", field="body")
        self._field = (name, bytearray())

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pending.append(data[start:end])
        elif self._field is not None:
            name, value = self._field
            value += data[start:end]
            if len(value) > MAX_FIELD_BYTES:
                raise ApiError(422, "field_too_long", f"The field is longer than {MAX_FIELD_BYTES} bytes.", field=name)

    def _on_part_end(self) -> None:
        self._in_file = False
        if self._field is not None:
            name, value = self._field
            self._fields[name] = value.decode("utf-8", "replace")
            self._field = None

    def _on_end(self) -> None:
        self._ended = True

    async def drain(self) -> None:
        if self._sink is not None:
            for piece in self._pending:
                await self._sink.write(piece)
        self._pending.clear()

    async def finish(self) -> ReceivedForm:
        if not self._ended:
            raise ApiError(400, "malformed_form", "The multipart form ends early.", field="body")
        if self._sink is None:
            return ReceivedForm(None, self._fields)
        info = await self._sink.commit()
        return ReceivedForm(ReceivedFile(info, self._filename, self._content_type), self._fields)

    async def abort(self) -> None:
        if self._sink is not None:
            await self._sink.abort()
