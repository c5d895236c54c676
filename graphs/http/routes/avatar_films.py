"""Films of speaking avatars, streamed while they are made: POST /v1/avatars/{id}/speak."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from graphs.avatar.library import Avatar, ReadyAvatar
from graphs.avatar.speech import check_text, film_limits, recorded, spoken
from graphs.avatar.streams import FilmStream
from graphs.common.voices import DEFAULT_VOICE, Speaker
from graphs.http.routes.speech import LanguageCode, Speed, VoiceName, speech_headers
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormOrJsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import StoredFile
from graphs.http.server.services import Services, ServicesDependency
from models.speech import SpeechChunk
from models.video.mark import FilmMark
from storage.objects import ObjectStore
from storage.users import User

router = APIRouter(prefix="/v1/avatars", tags=["avatars"])

FILM = "video/mp4"

AvatarId = Annotated[str, Path(max_length=100, description="Id of an avatar (GET /v1/avatars), or `default`.")]


class _FilmRequest(BaseModel):
    """Fields common to all requests for a film."""

    model_config = ConfigDict(extra="forbid")

    label: bool = Field(
        default=False, description="Draw into the picture that it is synthetic, also where the service need not."
    )


class SpeakRequest(_FilmRequest):
    """A text that an avatar shall say."""

    text: str = Field(description="What to say.")
    language: LanguageCode | None = Field(
        default=None, description="BCP 47 code, lower case: en, en-gb, zh. Left out, it is the voice's own."
    )
    voice: VoiceName | None = Field(
        default=None,
        description="Id of a voice (GET /v1/voices), or the name of one of yours; left out, the language's default.",
    )
    speed: Speed = Field(default=1.0, description="1 is the voice's own speed.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Good morning.", "language": "en"}]})


class SpeakRecordingForm(_FilmRequest):
    """A recording of speech that an avatar shall say."""

    file: StoredFile = Field(description="A recording of speech: it becomes the film's sound, and is erased.")
    allow_truncated: bool = Field(
        default=False, description="Use what is there of a recording that ends before its header says."
    )


_FILM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The film: H.264 and AAC in fragmented MP4, 25 frames a second. X-Synthetic-Video tells the "
        "engine of the lips, X-Synthetic-Speech that of the speech and the voice, X-Faces how many faces the avatar "
        "has where that is more than one.",
        "content": {FILM: {"schema": {"type": "string", "format": "binary"}}},
    },
    503: {"description": "All places for films are taken; Retry-After tells when to try again."},
}


@router.post(
    "/{avatar_id}/speak",
    response_class=Response,
    responses=_FILM,
    summary="Film an avatar that says something",
)
async def speak(
    request: Request,
    services: ServicesDependency,
    owner: Owner,
    avatar_id: AvatarId,
    body: FormOrJsonBody[SpeakRecordingForm, SpeakRequest],
) -> Response:
    """Return the film, from its first half second on while the rest is being made; marked as synthetic.

    Send a text as JSON, or a recording of speech as multipart/form-data: it becomes the film's sound, and is erased.
    """
    services.films.check_place()
    avatar = await services.avatars.find(owner.id, avatar_id)
    correlation_id = correlation_id_of(request)
    asked = await body.receive(limit=services.config.recordings.max_bytes)
    if isinstance(asked, SpeakRequest):
        film = await film_of_text(services, owner, avatar, asked, correlation_id)
    else:
        film = await _film_of_recording(services, avatar, asked, correlation_id)
    return FilmResponse(film)


@dataclass(frozen=True)
class BegunFilm:
    """A film whose first bytes are there, and what its response says of it."""

    film: FilmStream
    headers: dict[str, str]


class FilmResponse(StreamingResponse):
    """Sends a film; stops making it when the client has left.

    Args:
        begun: The film.
        disposition: How a browser shall treat it.
    """

    def __init__(self, begun: BegunFilm, disposition: str = 'inline; filename="avatar.mp4"') -> None:
        self._film = begun.film
        headers = {**begun.headers, "Content-Disposition": disposition}
        super().__init__(begun.film.pieces(), media_type=FILM, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._film.close()


async def film_of_text(
    services: Services, owner: User, avatar: Avatar, asked: SpeakRequest, correlation_id: str
) -> BegunFilm:
    """Begin the film of a text.

    Raises:
        InputError: The text can't be said, or not in that voice or language.
        AvatarNotFound: The avatar was deleted meanwhile.
        RoleUnavailable: There is no place for the film, or a role can't take it.
    """
    config = services.config
    check_text(asked.text, asked.speed, max_chars=config.texts.max_speech_chars, settings=config.video)
    language = asked.language
    if asked.voice in (None, DEFAULT_VOICE) and language is None:
        language = config.assistant.language
    speaker = await services.speakers.find(owner.id, asked.voice, language)
    ready = await services.avatars.ready(avatar, correlation_id)
    speech = spoken(services.roles.speech, asked.text, speaker, speed=asked.speed, correlation_id=correlation_id)
    return await _begin(services, ready, speech, speaker, asked.label, "text", correlation_id)


async def _film_of_recording(
    services: Services, avatar: Avatar, asked: SpeakRecordingForm, correlation_id: str
) -> BegunFilm:
    """Begin the film of a recording, which is erased when that has ended."""
    key = asked.file.info.key
    try:
        limits = film_limits(services.config.recordings, services.config.video, allow_truncated=asked.allow_truncated)
        _info, speech = await recorded(services.objects, key, limits)
        ready = await services.avatars.ready(avatar, correlation_id)
        speech = _erased_after(speech, services.objects, key)
        return await _begin(services, ready, speech, None, asked.label, "file", correlation_id)
    except BaseException:
        await _erase(services.objects, key)
        raise


async def _erased_after(
    speech: AsyncGenerator[SpeechChunk, None], objects: ObjectStore, key: str
) -> AsyncGenerator[SpeechChunk, None]:
    try:
        async with aclosing(speech):
            async for chunk in speech:
                yield chunk
    finally:
        await _erase(objects, key)


async def _erase(objects: ObjectStore, key: str) -> None:
    await asyncio.shield(asyncio.to_thread(objects.delete, key))


async def _begin(
    services: Services,
    avatar: ReadyAvatar,
    speech: AsyncGenerator[SpeechChunk, None],
    speaker: Speaker | None,
    label: bool,
    field: str,
    correlation_id: str,
) -> BegunFilm:
    """Begin a film; a recording has no speaker of ours."""
    engine = await services.roles.lipsync.fingerprint()
    mark = FilmMark(engine, speaker.voice.engine, speaker.name) if speaker is not None else FilmMark(engine)
    film = await services.films.begin(
        avatar,
        speech,
        mark=mark,
        label=label or services.config.video.label,
        field=field,
        correlation_id=correlation_id,
    )
    headers = {"X-Synthetic-Video": f"engine={engine}"}
    if speaker is not None:
        headers |= speech_headers(speaker.voice.engine, speaker.name)
    if avatar.faces > 1:
        headers["X-Faces"] = f"{avatar.faces}; the largest speaks"
    return BegunFilm(film, headers)
