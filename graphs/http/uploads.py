"""Presigned uploads, and the routes that serve presigned URLs where objects lie in a directory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from graphs.http.auth import Owner
from graphs.http.errors import ApiError
from graphs.http.multipart import receive_body, store_body
from graphs.http.schemas import UploadRequest, UploadTicket
from graphs.http.services import Services, ServicesDependency
from graphs.recordings import new_upload_key
from storage.objects import Expired, InvalidSignature, content_disposition
from storage.objects.directory import DirectoryObjectStore
from storage.objects.signing import Grant

router = APIRouter(prefix="/v1", tags=["uploads"])

PRESIGNED_FOR = timedelta(hours=1)
# Players ask for all of the rest and read a little; they ask again for what they have not got.
MAX_RANGE_BYTES = 8 * 1024 * 1024


@router.post("/uploads", status_code=201, summary="Get a URL to upload a recording to")
async def create_upload(services: ServicesDependency, owner: Owner, body: UploadRequest) -> UploadTicket:
    """Return a URL that takes one recording, past the service where objects lie in S3.

    Name the returned ``object_key`` in a job once the upload is done.
    """
    limit = services.config.recordings.max_bytes
    key = new_upload_key(owner.id)
    upload = await asyncio.to_thread(
        services.objects.presign_put, key, expires=PRESIGNED_FOR, content_type=body.content_type, max_bytes=limit
    )
    return UploadTicket(
        object_key=key,
        url=upload.url,
        method=upload.method,
        headers=dict(upload.headers),
        max_bytes=limit,
        expires_at=upload.expires_at,
    )


def _granted(request: Request, services: Services, key: str, method: str) -> tuple[DirectoryObjectStore, Grant]:
    """Check a presigned URL: its signature stands for the API key."""
    store = services.objects
    if not isinstance(store, DirectoryObjectStore):
        raise ApiError(404, "not_found", "Not Found")
    try:
        grant = store.verify(key, dict(request.query_params), method, now=datetime.now(UTC))
    except Expired as error:
        raise ApiError(403, "url_expired", "This URL has expired; ask for a new one.", field="expires") from error
    except InvalidSignature as error:
        raise ApiError(403, "invalid_signature", "This URL was not made by this service.", field="signature") from error
    return store, grant


@router.put("/objects/{key:path}", status_code=200, include_in_schema=False)
async def put_object(request: Request, services: ServicesDependency, key: str) -> Response:
    """Take the body of a presigned upload."""
    store, grant = _granted(request, services, key, "PUT")
    if grant.content_type is not None and request.headers.get("content-type") != grant.content_type:
        raise ApiError(403, "invalid_signature", f"This URL takes {grant.content_type} only.", field="Content-Type")
    body = receive_body(request, services.config.upload_chunk_timeout_seconds)
    limit = grant.max_bytes or services.config.recordings.max_bytes
    info = await store_body(body, store, key, content_type=grant.content_type, limit=limit)
    return Response(headers={"ETag": info.etag or ""})


@router.get("/objects/{key:path}", include_in_schema=False)
async def get_object(request: Request, services: ServicesDependency, key: str) -> Response:
    """Serve a presigned download; byte ranges as players ask for them (RFC 9110, one range)."""
    store, grant = _granted(request, services, key, "GET")
    info = await asyncio.to_thread(store.head, key)
    first, last = _byte_range(request.headers.get("range"), info.size)
    partial = (first, last) != (0, info.size - 1)
    headers = {"Accept-Ranges": "bytes", "Content-Length": str(last - first + 1), "X-Content-Type-Options": "nosniff"}
    if partial:
        headers["Content-Range"] = f"bytes {first}-{last}/{info.size}"
    headers["Content-Disposition"] = content_disposition(grant.filename or "recording")
    chunks = await asyncio.to_thread(store.iterate, key, first, last + 1)
    return StreamingResponse(
        _in_threads(chunks),
        206 if partial else 200,
        headers=headers,
        media_type=grant.content_type or info.content_type or "application/octet-stream",
    )


async def _in_threads(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _byte_range(header: str | None, size: int) -> tuple[int, int]:
    """Return the first and last byte asked for; the whole object for anything but one satisfiable range."""
    whole = (0, size - 1)
    if not header or not header.startswith("bytes=") or "," in header:
        return whole
    start, _, end = header.removeprefix("bytes=").partition("-")
    try:
        if not start:
            first, last = max(0, size - int(end)), size - 1
        else:
            first, last = int(start), min(int(end) if end else size - 1, size - 1)
    except ValueError:
        return whole
    if first > last or first >= size:
        raise ApiError(416, "range_not_satisfiable", f"The object has {size} bytes.", field="Range")
    return first, min(last, first + MAX_RANGE_BYTES - 1)
