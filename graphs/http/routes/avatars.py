"""Avatars: the bundled one, and those that owners upload to be seen speaking."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from graphs.avatar.library import DEFAULT_AVATAR, Avatar
from graphs.common.errors import ApiError
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import StoredFile
from graphs.http.server.services import Services, ServicesDependency
from models.lipsync import FRAMES_PER_SECOND
from models.video.types import AvatarKind
from storage.names import checked_name

router = APIRouter(prefix="/v1/avatars", tags=["avatars"])

AvatarName = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(checked_name)]

IfNoneMatch = Annotated[str, Header(max_length=1000)]
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "It is the picture that If-None-Match names."},
}


class AvatarForm(BaseModel):
    """An avatar to be kept."""

    model_config = ConfigDict(extra="forbid")

    file: StoredFile = Field(description="A picture or a short clip with a face in it.")
    name: AvatarName = Field(description="What to call it; unique among your avatars.")


class AvatarBody(BaseModel):
    """A face that can be seen speaking."""

    id: str = Field(description="default for the bundled one, which everybody has; else a UUID.")
    name: str
    kind: AvatarKind = Field(description="A still picture, or a clip that is shown forward and backward in turn.")
    width: int = Field(description="Of its films, in pixels.")
    height: int = Field(description="Of its films, in pixels.")
    seconds: float | None = Field(description="Length of a clip; null for a still picture.")
    faces: int = Field(description="How many faces are in it; the largest speaks.")
    note: str | None = Field(description="What you should know of it: that there are several faces.")
    created_at: datetime | None = Field(description="When you uploaded it; null for the bundled one.")


class AvatarsBody(BaseModel):
    """Avatars that you can name in a request for a film."""

    avatars: list[AvatarBody]


@router.get("", summary="The avatars that can speak for you")
async def list_avatars(services: ServicesDependency, owner: Owner) -> AvatarsBody:
    """Return the bundled avatar, and those that you uploaded, oldest first."""
    return AvatarsBody(avatars=[_body(avatar) for avatar in await services.avatars.list(owner.id)])


@router.post("", status_code=201, summary="Keep a picture or a clip as an avatar")
async def add_avatar(
    request: Request, response: Response, services: ServicesDependency, owner: Owner, form: FormBody[AvatarForm]
) -> AvatarBody:
    """Keep a picture or a short clip with a face in it, to be named by you alone; what the file is shows its content.

    Where several faces are seen, the largest will speak, and ``note`` says so. Upload only pictures of people who have
    agreed to it.
    """
    fields = await form.receive(limit=services.config.avatars.max_bytes)
    key = fields.file.info.key
    try:
        avatar = await services.avatars.add(owner.id, fields.name, key, correlation_id_of(request))
    finally:
        await asyncio.shield(asyncio.to_thread(services.objects.delete, key))
    response.headers["Location"] = f"{router.prefix}/{avatar.id}"
    return _body(avatar)


@router.get("/{avatar_id}", summary="An avatar")
async def get_avatar(services: ServicesDependency, owner: Owner, avatar_id: str) -> AvatarBody:
    """Return the avatar."""
    return _body(await services.avatars.find(owner.id, avatar_id))


@router.get(
    "/{avatar_id}/picture",
    response_class=Response,
    responses=PICTURE,
    summary="A picture of an avatar",
)
async def get_picture(
    services: ServicesDependency,
    owner: Owner,
    avatar_id: str,
    if_none_match: IfNoneMatch = "",
) -> Response:
    """Return a JPEG: the still picture, or the clip's first frame."""
    return await picture_of(services, await services.avatars.find(owner.id, avatar_id), if_none_match)


async def picture_of(services: Services, avatar: Avatar, if_none_match: str) -> Response:
    """Return an avatar's picture, or that it is the one that the client has."""
    etag = f'"{avatar.content_hash}"'
    # A browser may keep it, and show it after it has asked: whoever uses it next may be somebody else.
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if _names(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(await services.avatars.picture(avatar), media_type="image/jpeg", headers=headers)


def _names(if_none_match: str, etag: str) -> bool:
    """Tell whether a condition is met by this version (RFC 9110, 13.1.2: the weak comparison)."""
    named = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in named or "*" in named


@router.delete("/{avatar_id}", status_code=204, summary="Erase an avatar that you uploaded")
async def delete_avatar(services: ServicesDependency, owner: Owner, avatar_id: str) -> Response:
    """Erase the avatar with its files; a film of it that is under way is completed."""
    if avatar_id == DEFAULT_AVATAR:
        raise ApiError(
            403, "bundled_avatar", "The bundled avatar is everybody's and can't be erased.", field="avatar_id"
        )
    await services.avatars.delete(owner.id, avatar_id)
    return Response(status_code=204)


def _body(avatar: Avatar) -> AvatarBody:
    return AvatarBody(
        id=avatar.id,
        name=avatar.name,
        kind=avatar.kind,
        width=avatar.width,
        height=avatar.height,
        seconds=round(avatar.frames / FRAMES_PER_SECOND, 2) if avatar.kind == "clip" else None,
        faces=avatar.faces,
        note=f"{avatar.faces} faces were seen; the largest one speaks." if avatar.faces > 1 else None,
        created_at=avatar.created_at,
    )
