"""Presigned uploads, and the routes that serve presigned URLs where objects lie in a directory."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from graphs.common.errors import ApiError
from graphs.common.recordings import new_upload_key
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import JsonBody
from graphs.http.server.files import ObjectSink, write_all
from graphs.http.server.multipart import receive_body
from graphs.http.server.schemas import UploadRequest, UploadTicket
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.stored_object import stored_object
from storage.objects import Expired, InvalidSignature, content_disposition
from storage.objects.directory import DirectoryObjectStore
from storage.objects.signing import Grant

router = APIRouter(prefix="/v1", tags=["uploads"])

PRESIGNED_FOR = timedelta(hours=1)


@router.post("/uploads", status_code=201, summary="Get a URL to upload a recording to")
async def create_upload(services: ServicesDependency, owner: Owner, body: JsonBody[UploadRequest]) -> UploadTicket:
    """Return a URL that takes one recording, past the service where objects lie in S3.

    Name the returned ``object_key`` in a job once the upload is done.
    """
    asked = await body.read()
    limit = services.config.recordings.max_bytes
    key = new_upload_key(owner.id)
    upload = await asyncio.to_thread(
        services.objects.presign_put, key, expires=PRESIGNED_FOR, content_type=asked.content_type, max_bytes=limit
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
    stored = await write_all(body, ObjectSink(store, key, limit, grant.content_type))
    return Response(headers={"ETag": stored.info.etag or ""})


@router.get("/objects/{key:path}", include_in_schema=False)
async def get_object(request: Request, services: ServicesDependency, key: str) -> Response:
    """Serve a presigned download."""
    store, grant = _granted(request, services, key, "GET")
    info = await asyncio.to_thread(store.head, key)
    return await stored_object(
        request,
        store,
        info,
        media_type=grant.content_type or info.content_type or "application/octet-stream",
        headers={"Content-Disposition": content_disposition(grant.filename or "recording")},
    )
