"""Multipart forms received as a stream: the file goes to its sink as it arrives, never whole into memory.

Follows RFC 7578; parsing by python-multipart's push parser.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from graphs.common.errors import ApiError
from graphs.http.server.files import BufferedSink, FileT, Sink

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS = 32
MAX_FIELD_BYTES = 16 * 1024
# The form's own lines around the file: boundaries, headers, fields.
FORM_OVERHEAD_BYTES = 1024 * 1024


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


async def receive_form(
    request: Request, sink: Sink[FileT], *, file_field: str, limit: int, chunk_timeout: float
) -> tuple[dict[str, str], FileT]:
    """Receive a multipart form with one file.

    Args:
        request: The request, its body unread.
        sink: The place where the file goes.
        file_field: Name of the file's part; any other file is refused.
        limit: Largest file in bytes.
        chunk_timeout: Longest silence of the client in seconds.

    Returns:
        The text fields and the file.

    Raises:
        ApiError: 413 for a file of more than ``limit`` bytes, 415 for a body of another type, 400 for a malformed form,
            422 for one without the file or with parts that don't belong to it. Nothing is left behind.
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        raise ApiError(415, "not_multipart", "Send the file as multipart/form-data.", field="Content-Type")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit + FORM_OVERHEAD_BYTES:
        raise _too_large(limit, file_field)
    form = _Form(sink, file_field, limit)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in receive_body(request, chunk_timeout):
            parser.write(chunk)
            await form.drain()
        parser.finalize()
        await form.drain()
        return await form.finish()
    except MultipartParseError as error:
        await form.discard()
        raise ApiError(400, "malformed_form", f"The multipart form is malformed: {error}", field="body") from error
    except BaseException:
        await form.discard()
        raise


def _too_large(limit: int, field: str) -> ApiError:
    return ApiError(413, "too_large", f"The file is larger than {limit} bytes.", field=field)


class _Form(Generic[FileT]):
    """Collects the parser's callbacks, then acts on them where waiting is possible."""

    def __init__(self, sink: Sink[FileT], file_field: str, limit: int) -> None:
        self._sink, self._file_field, self._limit = sink, file_field, limit
        self._buffered = BufferedSink(sink)
        self._fields: dict[str, str] = {}
        self._headers: dict[str, bytes] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._pending: list[bytes] = []
        self._field: tuple[str, bytearray] | None = None
        self._has_file = False
        self._in_file = False
        self._file_bytes = 0
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
        if self._has_file:
            raise ApiError(422, "duplicate_field", "The form has more than one file.", field=name)
        self._has_file = self._in_file = True
        content_type = self._headers.get("content-type", b"").decode("latin-1").split(";")[0].strip().lower()
        self._sink.begin(filename.decode("utf-8", "replace")[:255], content_type)

    def _begin_field(self, name: str) -> None:
        if name in self._fields:
            raise ApiError(422, "duplicate_field", f"The field {name!r} stands twice.", field=name)
        if len(self._fields) >= MAX_FIELDS:
            raise ApiError(422, "too_many_fields", f"The form has more than {MAX_FIELDS} fields.", field="body")
        self._field = (name, bytearray())

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._file_bytes += end - start
            if self._file_bytes > self._limit:
                raise _too_large(self._limit, self._file_field)
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
        for piece in self._pending:
            await self._buffered.write(piece)
        self._pending.clear()

    async def finish(self) -> tuple[dict[str, str], FileT]:
        if not self._ended:
            raise ApiError(400, "malformed_form", "The multipart form ends early.", field="body")
        if not self._has_file:
            raise ApiError(422, "missing_field", "The form has no file.", field=self._file_field)
        return self._fields, await self._buffered.commit()

    async def discard(self) -> None:
        await self._buffered.discard()
