"""Stored objects as responses, with the byte ranges that players ask for (RFC 9110, section 14)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from graphs.common.errors import ApiError
from storage.objects import ObjectInfo, ObjectStore

# Players ask for all of the rest and read a little; they ask again for what they have not got.
MAX_RANGE_BYTES = 8 * 1024 * 1024


async def stored_object(
    request: Request, objects: ObjectStore, info: ObjectInfo, *, media_type: str, headers: Mapping[str, str]
) -> Response:
    """Answer a GET or HEAD with an object, or with the part of it that was asked for.

    Args:
        request: Its ``Range`` is heeded: one range, at most ``MAX_RANGE_BYTES`` of it at a time.
        objects: Where the object lies.
        info: The object.
        media_type: What it is; browsers are told not to guess.
        headers: More headers of the response.

    Raises:
        ApiError: 416 for a range that lies past the end.
        ObjectNotFound: It is gone.
    """
    part = _asked_part(request.headers.get("range"), info.size)
    first, last = (part.first, part.last) if part else (0, info.size - 1)
    sent = {
        **headers,
        "Accept-Ranges": "bytes",
        "Content-Length": str(last - first + 1),
        "Content-Type": media_type,
        "X-Content-Type-Options": "nosniff",
    }
    if part:
        sent["Content-Range"] = f"bytes {first}-{last}/{info.size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=sent)
    chunks = await asyncio.to_thread(objects.iterate, info.key, first, last + 1)
    return StreamingResponse(_in_threads(chunks), status, headers=sent)


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


@dataclass(frozen=True)
class _Part:
    """Bytes of an object, from the first to the last, both included."""

    first: int
    last: int


def _asked_part(header: str | None, size: int) -> _Part | None:
    """Return the part asked for; None, for the whole object, unless it is one range of bytes."""
    if not header or not header.startswith("bytes=") or "," in header:
        return None
    start, _, end = header.removeprefix("bytes=").partition("-")
    try:
        if not start:
            first, last = max(0, size - int(end)), size - 1
        else:
            first, last = int(start), min(int(end) if end else size - 1, size - 1)
    except ValueError:
        return None
    if first > last or first >= size:
        raise ApiError(416, "range_not_satisfiable", f"The object has {size} bytes.", field="Range")
    return _Part(first, min(last, first + MAX_RANGE_BYTES - 1))
