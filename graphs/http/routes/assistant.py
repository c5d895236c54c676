"""Conversations with the voice assistant: /v1/assistant."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from graphs.assistant.events import Heard
from graphs.common.errors import ApiError
from graphs.http.server.assistant_replies import EVENT_STREAM, as_base64, event_stream, gather, wants_events
from graphs.http.server.audio import decode_file, spoken_limits
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody, JsonBody, OptionalJsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import SpooledFile
from graphs.http.server.services import Services, ServicesDependency
from models.audio.encoding import AudioFormat
from storage.sessions import Session, StoredMessage
from storage.users import User

router = APIRouter(prefix="/v1/assistant", tags=["assistant"])

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
VoiceName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionRequest(_Body):
    """Settings of a conversation, for the messages that set nothing else."""

    language: Language | None = Field(default=None, description="ISO 639-1 code; left out, the service's own.")
    voice: VoiceName | None = Field(default=None, description="Who answers; left out, the language's default voice.")


class _Spoken(_Body):
    language: Language | None = Field(default=None, description="ISO 639-1 code; left out, the session's.")
    voice: VoiceName | None = Field(default=None, description="Who answers; left out, the session's voice.")
    format: AudioFormat = Field(default="wav", description="Of the spoken reply in a JSON body.")


class MessageRequest(_Spoken):
    """A written message."""

    text: str = Field(description="What the user says.")
    speak: bool = Field(default=False, description="Whether the reply shall be spoken too.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "What time is it?", "speak": True}]})


class SpokenForm(_Spoken):
    """A spoken message."""

    audio: SpooledFile = Field(description="A recording of what the user says.")
    speak: bool = Field(default=True, description="Whether the reply shall be spoken too.")


class SessionBody(_Body):
    """A conversation; each message prolongs it."""

    id: str
    language: str | None
    voice: str | None
    created_at: datetime
    last_at: datetime
    expires_at: datetime


class MessageBody(_Body):
    """A message that was said."""

    n: int = Field(description="1, 2, 3, ... within the session.")
    role: Literal["user", "assistant"]
    content: str
    interrupted: bool = Field(description="The reply was not delivered to its end.")
    at: datetime


class SessionWithMessagesBody(SessionBody):
    """A conversation and its newest messages."""

    messages: list[MessageBody]


class SessionListBody(_Body):
    """Your conversations, the last used first."""

    sessions: list[SessionBody]


class HeardBody(_Body):
    """Recognised words of a spoken message."""

    text: str
    language: str


class AudioBody(_Body):
    """A spoken reply, marked as synthetic in its metadata."""

    format: AudioFormat
    sample_rate: int = Field(description="Hz, as the voice spoke it.")
    data: str = Field(description="The file in base64.")


class ReplyBody(_Body):
    """A reply."""

    session_id: str
    heard: HeardBody | None = Field(description="Of a spoken message.")
    text: str
    audio: AudioBody | None = Field(description="Null where no speech was asked for, or none could be made.")
    speech_error: str | None = Field(description="Why the reply was not spoken, or not to its end.")
    timings: dict[str, float] = Field(
        description="Seconds: stt, chat and tts at work; chat_first_token, tts_first_audio, total since the turn began."
    )


_REPLIES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ReplyBody,
        "description": "The reply; with `Accept: text/event-stream` the events heard, text, audio (base64 of 16-bit "
        "little-endian samples), speech_failed, end, error, each with JSON.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


@router.post("/sessions", status_code=201, summary="Begin a conversation")
async def create_session(
    response: Response, services: ServicesDependency, owner: Owner, sent: OptionalJsonBody[SessionRequest]
) -> SessionBody:
    """Begin a conversation; it is erased half an hour after its last message (`assistant.session_ttl_seconds`)."""
    body = await sent.read() if sent.given else SessionRequest()
    if body.voice is not None:
        await services.assistant.find_speaker(
            owner.id, body.voice, body.language or services.assistant.settings.language
        )
    session = await services.sessions.create(owner.id, language=body.language, voice=body.voice)
    response.headers["Location"] = f"{router.prefix}/sessions/{session.id}"
    return SessionBody(**_fields(session))


@router.get("/sessions", summary="Your conversations")
async def list_sessions(
    services: ServicesDependency, owner: Owner, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> SessionListBody:
    """Return conversations that have not expired, the last used first."""
    sessions = await services.sessions.of_owner(owner.id, limit=limit)
    return SessionListBody(sessions=[SessionBody(**_fields(session)) for session in sessions])


@router.get("/sessions/{session_id}", summary="A conversation with its messages")
async def get_session(services: ServicesDependency, owner: Owner, session_id: str) -> SessionWithMessagesBody:
    """Return a conversation and what was said in it, oldest first."""
    session = await services.sessions.get(owner.id, session_id)
    messages = await services.sessions.messages(owner.id, session_id)
    return SessionWithMessagesBody(**_fields(session), messages=[_message(message) for message in messages])


@router.delete("/sessions/{session_id}", status_code=204, summary="Erase a conversation")
async def delete_session(services: ServicesDependency, owner: Owner, session_id: str) -> None:
    """Erase a conversation with all that was said in it."""
    if not await services.sessions.delete(owner.id, session_id):
        raise ApiError(404, "session_not_found", "There is no such session, or it has expired.", field="session_id")


@router.post(
    "/sessions/{session_id}/messages",
    response_model=ReplyBody,
    responses=_REPLIES,
    summary="Say something in writing",
)
async def create_message(
    request: Request, services: ServicesDependency, owner: Owner, session_id: str, sent: JsonBody[MessageRequest]
) -> Response:
    """Return the reply, spoken too where that is asked for: at once, or as events while it is written."""
    body = await sent.read()
    return await _reply(request, services, owner, session_id, body.text, body, speak=body.speak)


@router.post(
    "/sessions/{session_id}/voice",
    response_model=ReplyBody,
    responses=_REPLIES,
    summary="Say something aloud",
)
async def create_voice_message(
    request: Request, services: ServicesDependency, owner: Owner, session_id: str, form: FormBody[SpokenForm]
) -> Response:
    """Return what was heard and the reply; 422 where nobody speaks or no words are made out, and nothing is kept."""
    session = await services.sessions.get(owner.id, session_id)
    fields = await form.receive(limit=services.config.assistant.max_audio_bytes)
    limits = spoken_limits(services.config, allow_truncated=True)
    pcm = await decode_file(fields.audio.file, limits, field="audio")
    heard = await services.assistant.hear(
        pcm, language=fields.language or session.language, correlation_id=correlation_id_of(request)
    )
    if not heard.speech:
        raise ApiError(422, "no_speech", "Nobody speaks in the recording.", field="audio")
    if not heard.text:
        raise ApiError(422, "not_understood", "No words were made out in the recording.", field="audio")
    return await _reply(request, services, owner, session_id, heard.text, fields, speak=fields.speak, heard=heard)


async def _reply(
    request: Request,
    services: Services,
    owner: User,
    session_id: str,
    text: str,
    wishes: _Spoken,
    *,
    speak: bool,
    heard: Heard | None = None,
) -> Response:
    events: Any = services.assistant.answer(
        owner.id,
        session_id,
        text,
        language=wishes.language,
        voice=wishes.voice,
        speak=speak,
        correlation_id=correlation_id_of(request),
    )
    if wants_events(request):
        return await event_stream(events, heard)
    reply = await gather(events)
    audio = await reply.encoded(wishes.format)
    body = ReplyBody(
        session_id=session_id,
        heard=HeardBody(text=heard.text, language=heard.language) if heard else None,
        text=reply.text,
        audio=AudioBody(format=wishes.format, sample_rate=reply.sample_rate, data=as_base64(audio)) if audio else None,
        speech_error=reply.speech_error,
        timings={**({"stt": heard.seconds} if heard else {}), **reply.timings},
    )
    return JSONResponse(body.model_dump(mode="json"))


def _fields(session: Session) -> dict[str, Any]:
    return {name: getattr(session, name) for name in SessionBody.model_fields}


def _message(message: StoredMessage) -> MessageBody:
    return MessageBody(**{name: getattr(message, name) for name in MessageBody.model_fields})
