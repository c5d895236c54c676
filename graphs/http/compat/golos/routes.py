"""The routes of golos: voice, chat, recognition and speech."""

# ruff: noqa: RUF001 - Russian texts
import asyncio
import re
from typing import Annotated, Any, TypeVar

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from graphs.assistant.events import Heard
from graphs.common.errors import ApiError
from graphs.http.compat.golos.counters import CountedRoute, counts
from graphs.http.compat.golos.health import health_of
from graphs.http.server.assistant_replies import Gathered, as_base64, gather
from graphs.http.server.audio import decode_file, spoken_limits
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody, JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import NO_TYPE, SpooledFile
from graphs.http.server.limits import per_minute
from graphs.http.server.services import Services, ServicesDependency
from models.audio.encoding import SyntheticMark, encode
from models.errors import InputError
from storage.sessions import AssistantCounters, Session, SessionNotFound
from storage.users import User

SPEECH_SECONDS = 100.0
"""Seconds after which a synthesis is given up with 504."""

MEDIA_TYPES = frozenset(
    f"audio/{name}"
    for name in ("wav", "wave", "x-wav", "vnd.wave", "mpeg", "mp3", "ogg", "webm", "mp4", "m4a", "x-m4a", "aac")
)
# A browser names a recording without a picture so, too.
VIDEO_TYPES = frozenset(("video/webm",))
EXTENSIONS = (".wav", ".mp3", ".ogg", ".webm", ".m4a", ".aac")

_NOT_UNDERSTOOD = {
    "ru": "Не удалось распознать речь. Повторите, пожалуйста.",
    "en": "I could not make out what you said. Please say it again.",
}
_COUNTERS = (
    "total_requests",
    "successful_requests",
    "failed_requests",
    "gigachat_requests",
    "stt_requests",
    "tts_requests",
)
_RUSSIAN = re.compile(r"[а-яё]", re.IGNORECASE)
_LATIN = re.compile(r"[a-z]", re.IGNORECASE)

_log = structlog.get_logger()
_limited = [Depends(per_minute("assistant"))]
_routes = APIRouter(prefix="/api/v1", route_class=CountedRoute)
_open_routes = APIRouter(prefix="/api/v1")


class RecordingForm(BaseModel):
    """A recording to be recognised."""

    audio: SpooledFile


class VoiceForm(RecordingForm):
    """A spoken message."""

    session_id: str | None = None


FormT = TypeVar("FormT", bound=RecordingForm)


class ChatMessage(BaseModel):
    """A written message."""

    message: str
    session_id: str | None = None


class ChatAnswer(BaseModel):
    """A written reply."""

    response: str
    session_id: str


class VoiceAnswer(BaseModel):
    """A spoken reply: what was heard, the reply, and its speech as a WAV in base64, empty where there is none."""

    text: str
    response: str
    audio: str
    session_id: str


class SpeechText(BaseModel):
    """A text to say."""

    text: str
    voice: str = Field(default="default", max_length=100)


class Recognised(BaseModel):
    """Recognised words; empty where none were recognised."""

    text: str


@_routes.post("/voice/process", dependencies=_limited, summary="Ask aloud, and hear the reply")
async def process_voice(
    request: Request,
    services: ServicesDependency,
    owner: Owner,
    form: FormBody[VoiceForm],
    session_id: Annotated[str | None, Query(max_length=100)] = None,
) -> VoiceAnswer:
    """Recognise a recording, answer it, and speak the answer.

    Where no words are made out, ``text`` is empty, ``response`` asks to repeat, and the chat engine is not asked.
    """
    fields = await _received(services, form)
    session = await _session(services, owner, session_id or fields.session_id)
    heard = await _heard(request, services, fields.audio, session.language)
    if heard.text:
        reply = await _answer(request, services, owner, session, heard.text, heard.language, speak=True)
    else:
        reply = await _please_repeat(request, services, owner, heard.language)
    audio = as_base64(await reply.encoded())
    return VoiceAnswer(text=heard.text, response=reply.text, audio=audio, session_id=session.id)


@_routes.post("/chat/message", dependencies=_limited, summary="Ask in writing")
async def chat_message(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[ChatMessage]
) -> ChatAnswer:
    """Answer a message; a session that is unknown or has expired is begun anew."""
    body = await sent.read()
    message = services.assistant.checked(body.message)
    session = await _session(services, owner, body.session_id)
    language = written_language(message, services.config.assistant.language)
    reply = await _answer(request, services, owner, session, message, language, speak=False)
    return ChatAnswer(response=reply.text, session_id=session.id)


@_routes.delete("/session/{session_id}", dependencies=_limited, summary="Forget a conversation")
async def clear_session(services: ServicesDependency, owner: Owner, session_id: str) -> dict[str, str]:
    """Erase a conversation, if there is one of this id."""
    await services.sessions.delete(owner.id, session_id)
    return {"message": "Сессия очищена"}


@_routes.post("/stt", dependencies=_limited, summary="Recognise a recording")
async def recognise(
    request: Request, services: ServicesDependency, owner: Owner, form: FormBody[RecordingForm]
) -> Recognised:
    """Return the words of a recording."""
    fields = await _received(services, form)
    return Recognised(text=(await _heard(request, services, fields.audio, None)).text)


@_routes.post(
    "/tts",
    dependencies=_limited,
    response_class=Response,
    responses={200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}},
    summary="Say a text",
)
async def synthesise(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[SpeechText]
) -> Response:
    """Return a WAV of the text, marked as synthetic in its metadata."""
    body = await sent.read()
    if not body.text.strip():
        raise InputError("empty_text", "The text is empty.", field="text")
    if len(body.text) > services.config.texts.max_speech_chars:
        raise InputError("too_long", "The text is too long.", field="text")
    counts(request, "tts_requests")
    language = written_language(body.text, services.config.assistant.language)
    speech = await _spoken(request, services, owner, body.text, language, body.voice)
    if not speech.samples:
        raise InputError("empty_text", "The text has nothing that can be said.", field="text")
    mark = SyntheticMark("VoiceGraph", body.voice)
    wav = await asyncio.to_thread(encode, speech.samples, "wav", speech.sample_rate, tags=mark)
    return Response(wav, media_type="audio/wav")


@_routes.get("/metrics", dependencies=[Depends(per_minute("metrics"))], summary="Counters of these routes")
async def metrics(services: ServicesDependency, owner: Owner) -> JSONResponse:
    """Return the sums over all replicas since counting began."""
    sums, since = await AssistantCounters(services.database).read()
    counters = {name: sums.get(name, 0) for name in _COUNTERS}
    active = await services.sessions.active()
    return JSONResponse({**counters, "active_sessions": active, "start_time": since.isoformat() if since else None})


@_open_routes.get("/health", summary="Whether the assistant's parts answer")
async def health(request: Request, services: ServicesDependency) -> JSONResponse:
    """Return 200 when all parts answer, else 503 with what does not."""
    report = await health_of(request).report(services)
    return JSONResponse(report, 200 if report["status"] == "ok" else 503)


async def _received(services: Services, form: FormBody[FormT]) -> FormT:
    """Receive a recording; the client's name for it must be one of golos' types, its content shows when decoded."""
    fields = await form.receive(limit=services.config.assistant.max_audio_bytes)
    audio = fields.audio
    named = audio.filename.lower().endswith(EXTENSIONS) if audio.content_type == NO_TYPE else None
    if not (named or audio.content_type in MEDIA_TYPES | VIDEO_TYPES):
        audio.file.close()
        raise ApiError(415, "unsupported_media", f"{audio.content_type!r} is not a known type.", field="audio")
    return fields


async def _session(services: Services, owner: User, session_id: str | None) -> Session:
    try:
        if session_id:
            return await services.sessions.get(owner.id, session_id)
    except SessionNotFound:
        pass
    return await services.sessions.create(owner.id)


async def _heard(request: Request, services: Services, audio: SpooledFile, language: str | None) -> Heard:
    limits = spoken_limits(services.config, allow_truncated=True)
    pcm = await decode_file(audio.file, limits, field="audio")
    counts(request, "stt_requests")
    heard: Heard = await services.assistant.hear(pcm, language=language, correlation_id=correlation_id_of(request))
    return heard


async def _answer(
    request: Request, services: Services, owner: User, session: Session, text: str, language: str, *, speak: bool
) -> Gathered:
    counts(request, "gigachat_requests", *(("tts_requests",) if speak else ()))
    return await gather(
        services.assistant.answer(
            owner.id, session.id, text, language=language, speak=speak, correlation_id=correlation_id_of(request)
        )
    )


async def _please_repeat(request: Request, services: Services, owner: User, language: str) -> Gathered:
    spoken = language if language in _NOT_UNDERSTOOD else "en"
    counts(request, "tts_requests")
    try:
        reply = await _spoken(request, services, owner, _NOT_UNDERSTOOD[spoken], spoken, "default")
    except Exception:
        _log.warning("the answer can't be spoken", exc_info=True)
        reply = Gathered()
    reply.text = _NOT_UNDERSTOOD[spoken]
    return reply


async def _spoken(request: Request, services: Services, owner: User, text: str, language: str, voice: str) -> Gathered:
    speech = Gathered(text=text)
    wanted = None if voice in ("", "default") else voice
    try:
        async with asyncio.timeout(SPEECH_SECONDS):
            speaker = await services.assistant.find_speaker(owner.id, wanted, language)
            chunks: Any = services.assistant.speech.synthesize(
                text,
                voice=speaker.voice,
                language=speaker.language,
                reference=speaker.reference,
                correlation_id=correlation_id_of(request),
            )
            async for chunk in chunks:
                speech.samples.append(chunk.samples)
                speech.sample_rate = chunk.sample_rate
    except TimeoutError:
        raise ApiError(504, "speech_timeout", "The synthesis took too long.") from None
    return speech


def written_language(text: str, default: str) -> str:
    """Return the language that a text of golos' clients is most likely in.

    They name none and write Russian: a text with more Cyrillic than Latin letters is taken for it, unless the
    service's own language is written so, too.
    """
    cyrillic = len(_RUSSIAN.findall(text)) > len(_LATIN.findall(text))
    return "ru" if cyrillic and default not in ("uk", "be", "bg", "sr", "mk", "kk", "ky", "tt", "ba", "cv") else default


router = APIRouter(tags=["golos"])
router.include_router(_routes)
router.include_router(_open_routes)
