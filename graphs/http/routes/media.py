"""Sound and films of jobs for the players of browsers, which can't send a key and need an address of this origin.

A presigned URL of an S3 server is of another origin, often one that a browser can't even reach.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from graphs.common.errors import ApiError
from graphs.http.routes.jobs import OwnedJob
from graphs.http.server.auth import Owner
from graphs.http.server.job_view import media_name, media_object
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.stored_object import stored_object
from models.audio import media_type
from storage.jobs import Job
from storage.objects import ObjectInfo, content_disposition

router = APIRouter(prefix="/v1", tags=["jobs"])

LINKED_FOR = timedelta(hours=1)
RECORDING = "recording"

_SAFETY = {
    "Cache-Control": "private",
    # Opened by itself, it is shown, and nothing in it could run, whatever a browser takes it for.
    "Content-Security-Policy": "sandbox",
    "Referrer-Policy": "no-referrer",
}


class MediaBody(BaseModel):
    """An address for an ``audio`` or ``video`` element."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="Works without a key, also for parts; with ?download=1 browsers save the file.")
    content_type: str = Field(description="By the content: audio/*, video/* or application/octet-stream.")
    size: int = Field(description="Bytes.")
    filename: str
    expires_at: datetime


@dataclass(frozen=True)
class _Media:
    """An object of a job that can be played, and what it is called."""

    info: ObjectInfo
    media_type: str
    filename: str


@router.post("/jobs/{job_id}/media/{name}", status_code=201, summary="An address for a player, which can't send a key")
async def create_link(services: ServicesDependency, owner: Owner, job: OwnedJob, name: str) -> MediaBody:
    """Return an address of the ``recording``, or of translated audio or a film, that works for an hour."""
    media = await asyncio.to_thread(_look, services, name, _object_of(services, job, name), job.params.get("filename"))
    token, link = await services.media_links.create(
        job.id,
        object_key=media.info.key,
        media_type=media.media_type,
        filename=media.filename,
        lifetime=LINKED_FOR,
    )
    return MediaBody(
        url=f"/v1/media/{token}",
        content_type=media.media_type,
        size=media.info.size,
        filename=media.filename,
        expires_at=link.expires_at,
    )


def _object_of(services: Services, job: Job, name: str) -> str:
    if name == RECORDING:
        if job.input_key is None:
            raise ApiError(404, "no_recording", "The job has no recording: it was given a text.", field="job_id")
        return job.input_key
    key = media_object(services, job, name)
    if key is None:
        result = media_name(services, job)
        names = f"{RECORDING} and {result}" if result else RECORDING
        raise ApiError(404, "artifact_not_found", f"What can be played is {names}.", field="name")
    return key


def _look(services: Services, name: str, key: str, given_name: str | None) -> _Media:
    info = services.objects.head(key)
    with services.objects.open(key) as source:
        found = media_type(source)
    if name != RECORDING:
        return _Media(info, found, name)
    return _Media(info, found, given_name or RECORDING)


@router.head("/media/{token}", include_in_schema=False)
@router.get(
    "/media/{token}",
    response_class=Response,
    responses={206: {"description": "The part that was asked for."}},
    summary="Sound or a film, for a player",
)
async def get_media(
    request: Request,
    services: ServicesDependency,
    token: str,
    download: bool = Query(default=False, description="Save it as a file."),
) -> Response:
    """Return the whole, or one range of bytes; the token stands for the key."""
    link = await services.media_links.find(token)
    if link is None:
        raise ApiError(404, "media_not_found", "There is no such address, or it has expired; ask for a new one.")
    info = await asyncio.to_thread(services.objects.head, link.object_key)
    headers = {**_SAFETY, "Content-Disposition": content_disposition(link.filename, inline=not download)}
    return await stored_object(request, services.objects, info, media_type=link.media_type, headers=headers)
