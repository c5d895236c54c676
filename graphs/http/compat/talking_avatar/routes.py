"""The routes of the talking avatar on Flask and Wav2Lip: a text in, a film of the bundled avatar out.

Their paths, shapes and errors are those of the talking avatar's clients; each is there once more below ``/r``.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from graphs.http.compat.talking_avatar.errors import Refusal
from graphs.http.compat.talking_avatar.health import HealthBody, TalkingAvatarHealth, talking_avatar_health
from graphs.http.routes.avatar_films import FILM, FilmResponse, SpeakRequest, film_of_text
from graphs.http.routes.avatars import PICTURE, IfNoneMatch, picture_of
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.services import ServicesDependency
from storage.objects import content_disposition

FILM_NAME = "avatar_speech.mp4"

_routes = APIRouter(prefix="/api")


class SpokenText(BaseModel):
    """Text for the avatar to say."""

    text: str
    language: Literal["ru", "kk", "en"] = "ru"
    static_mode: bool = Field(default=False, description="Changes nothing: the bundled avatar is a still picture.")


@_routes.post(
    "/generate",
    response_class=Response,
    responses={200: {"content": {FILM: {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Film the avatar that says a text",
)
async def generate(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[SpokenText]
) -> Response:
    """Return the film as a file to save, sent while it is made; marked as synthetic."""
    body = await sent.read()
    limit = services.config.texts.max_speech_chars
    if len(body.text) > limit:
        raise Refusal(400, "too_long", f"Текст слишком длинный: допускается не более {limit} символов", field="text")
    services.films.check_place()
    asked = SpeakRequest(text=body.text, language=body.language)
    avatar = await services.avatars.default()
    film = await film_of_text(services, owner, avatar, asked, correlation_id_of(request))
    return FilmResponse(film, content_disposition(FILM_NAME))


@_routes.get("/health", summary="Whether films can be made")
async def health(
    request: Request,
    services: ServicesDependency,
    known: Annotated[TalkingAvatarHealth, Depends(talking_avatar_health)],
) -> HealthBody:
    """Return what works."""
    return await known.report(services, correlation_id_of(request))


@_routes.get("/avatar", response_class=Response, responses=PICTURE, summary="The avatar's picture")
async def avatar(services: ServicesDependency, owner: Owner, if_none_match: IfNoneMatch = "") -> Response:
    """Return it as a JPEG."""
    return await picture_of(services, await services.avatars.default(), if_none_match)


router = APIRouter(tags=["talking avatar"])
router.include_router(_routes)
router.include_router(_routes, prefix="/r", include_in_schema=False)
