"""Voices: those of the synthesiser, and those that owners register to be spoken with."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from graphs.common.config import MEBIBYTE
from graphs.common.errors import ApiError
from graphs.common.voice_samples import has_sample, speak_sample
from graphs.common.voices import choose_voice
from graphs.http.routes.speech import LanguageCode, VoiceName, speech_headers
from graphs.http.server.audio import decode_file
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import SpooledFile
from graphs.http.server.services import Services, ServicesDependency
from models.audio import SAMPLE_RATE, AudioLimits
from models.audio.encoding import encode
from models.errors import InputError
from models.speech import Gender, Quality, Voice
from storage.users import User
from storage.voices import RegisteredVoice, new_voice_key

router = APIRouter(prefix="/v1/voices", tags=["voices"])

MAX_REFERENCE_BYTES = 20 * MEBIBYTE
MIN_REFERENCE_SECONDS = 1.0


class VoiceForm(BaseModel):
    """A voice to be registered."""

    model_config = ConfigDict(extra="forbid")

    file: SpooledFile = Field(description="A recording of one speaker.")
    name: VoiceName = Field(description="What to call it; unique among your voices.")
    language: LanguageCode | None = Field(default=None, description="Language of the recording, where it is known.")


class EngineVoiceBody(BaseModel):
    """A voice of the synthesiser."""

    id: str
    name: str
    languages: list[str] = Field(description="BCP 47 codes in lower case, its own language first.")
    gender: Gender | None = Field(description="Null where the engine does not say it.")
    engine: str = Field(description="Which engine speaks with it.")
    quality: Quality = Field(
        description="natural: close to a recording of a person. good: clear, with artefacts. robotic: intelligible."
    )
    sample_rate: int = Field(description="Hz.")
    clones: bool = Field(description="Whether it can sound like a registered voice.")
    sample: str | None = Field(
        description="Path of a short sentence in this voice, to hear it; null for a voice that needs a registered one."
    )


class RegisteredVoiceBody(BaseModel):
    """A voice that you registered."""

    id: UUID
    name: str
    language: str | None
    seconds: float = Field(description="Length of the recording of it.")
    encoders: list[str] = Field(description="Speaker encoders whose embedding of it is kept.")
    created_at: datetime


class VoicesBody(BaseModel):
    """Voices that you can name in a request for speech."""

    voices: list[EngineVoiceBody]
    registered: list[RegisteredVoiceBody]


@router.get("", summary="The voices that you can speak with")
async def list_voices(
    services: ServicesDependency, owner: Owner, language: Annotated[LanguageCode | None, Query()] = None
) -> VoicesBody:
    """Return the synthesiser's voices, those of one language where it is named, and the ones that you registered.

    The default of each language stands before its others.
    """
    voices = await services.roles.speech.voices()
    registered = await services.voices.list(owner.id)
    return VoicesBody(
        voices=[_engine_voice(voice, language) for voice in voices if language is None or _speaks(voice, language)],
        registered=[_registered_voice(voice) for voice in registered],
    )


def _speaks(voice: Voice, language: str) -> bool:
    return any(code == language or code.startswith(f"{language}-") for code in voice.languages)


def _engine_voice(voice: Voice, language: str | None) -> EngineVoiceBody:
    sample = f"/v1/voices/{quote(voice.id, safe='')}/sample" + (f"?language={language}" if language else "")
    return EngineVoiceBody(
        id=voice.id,
        name=voice.name,
        languages=list(voice.languages),
        gender=voice.gender,
        engine=voice.engine,
        quality=voice.quality,
        sample_rate=voice.sample_rate,
        clones=voice.clones,
        sample=sample if has_sample(voice) else None,
    )


def _registered_voice(voice: RegisteredVoice) -> RegisteredVoiceBody:
    return RegisteredVoiceBody(
        id=voice.id,
        name=voice.name,
        language=voice.language,
        seconds=voice.seconds,
        encoders=sorted(voice.embeddings),
        created_at=voice.created_at,
    )


@router.post("", status_code=201, summary="Register a voice by a recording of it")
async def register_voice(
    request: Request, services: ServicesDependency, owner: Owner, form: FormBody[VoiceForm]
) -> RegisteredVoiceBody:
    """Keep a recording of one speaker, 1 to 30 s, and its embedding, to be named as ``voice`` by you alone.

    Register only voices whose owners have agreed to it. It is refused where no engine can sound like a
    recorded speaker.
    """
    await require_cloning(services)
    fields = await form.receive(limit=min(MAX_REFERENCE_BYTES, services.config.recordings.max_bytes))
    limits = AudioLimits(min_seconds=MIN_REFERENCE_SECONDS, max_seconds=services.config.texts.max_reference_seconds)
    pcm = await decode_file(fields.file.file, limits, field="file")
    try:
        voice = await keep_voice(
            services, owner, fields.name, pcm, language=fields.language, correlation_id=correlation_id_of(request)
        )
    except ValueError as error:
        raise ApiError(422, "invalid_request", f"name: {error}", field="name") from error
    return _registered_voice(voice)


async def require_cloning(services: Services) -> None:
    """Refuse to register a voice that nobody could speak with.

    Raises:
        ApiError: No voice of the configured engines can sound like a recorded speaker (``cloning_unsupported``).
    """
    if not any(voice.clones for voice in await services.roles.speech.voices()):
        raise ApiError(
            422,
            "cloning_unsupported",
            "No configured engine can speak with a registered voice; speecht5 can (GET /v1/voices tells which do).",
        )


async def keep_voice(
    services: Services,
    owner: User,
    name: str,
    pcm: NDArray[np.float32],
    *,
    language: str | None = None,
    replace: bool = False,
    correlation_id: str,
) -> RegisteredVoice:
    """Register a voice by its speech.

    Args:
        services: Where it is kept.
        owner: Whose it is.
        name: What it is called.
        pcm: Speech of one speaker, mono float32 at 16 kHz, within the limits of a reference.
        language: Code of its language.
        replace: Whether it takes the place of a voice of that name.
        correlation_id: For the log lines of the roles.

    Raises:
        InputError: The encoder can't use the speech.
        VoiceNameTaken, TooManyVoices, ValueError: See ``storage.voices.Voices.create``.
    """
    embeddings, encoder = await services.roles.speaker.embed([pcm], correlation_id=correlation_id)
    key = new_voice_key(owner.id)
    flac = await asyncio.to_thread(encode, [pcm], "flac", SAMPLE_RATE)
    await asyncio.to_thread(services.objects.put, key, flac, content_type="audio/flac")
    keep = services.voices.put if replace else services.voices.create
    try:
        kept = await keep(
            owner.id,
            name,
            reference_key=key,
            seconds=round(len(pcm) / SAMPLE_RATE, 3),
            language=language,
            embeddings={encoder: embeddings[0].tolist()},
            max_voices=services.config.texts.max_voices_per_owner,
        )
    except BaseException:
        await asyncio.shield(asyncio.to_thread(services.objects.delete, key))
        raise
    voice, replaced = kept if isinstance(kept, tuple) else (kept, [])
    for old in replaced:
        await asyncio.to_thread(services.objects.delete, old)
    return voice


_SAMPLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "MP3.", "content": {"audio/mpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


@router.get("/{voice_id:path}/sample", response_class=Response, responses=_SAMPLE, summary="Hear a voice")
async def hear_voice(
    request: Request,
    services: ServicesDependency,
    owner: Owner,
    voice_id: VoiceName,
    language: Annotated[LanguageCode | None, Query(description="Left out, the voice's own.")] = None,
) -> Response:
    """Return a short sentence in a voice of ``GET /v1/voices``, marked as synthetic; it is made once and kept."""
    voices = await services.roles.speech.voices()
    voice, code = choose_voice(voices, language, voice_id)
    if not has_sample(voice):
        raise InputError("no_sample", f"{voice_id} sounds like registered voices only.", field="voice")

    async def speak() -> tuple[bytes, int]:
        file = await speak_sample(services.roles.speech, voice, code, correlation_id_of(request))
        return file, len(file)

    key = f"{voice.engine}/{voice.model}/{voice.id}/{code}"
    file = await services.voice_samples.get(key, key, speak)
    headers = {"Cache-Control": "private, max-age=3600", **speech_headers(voice.engine, voice.id)}
    return Response(file, media_type="audio/mpeg", headers=headers)


@router.get("/{voice_id}", summary="A voice that you registered")
async def get_voice(services: ServicesDependency, owner: Owner, voice_id: UUID) -> RegisteredVoiceBody:
    """Return the voice."""
    return _registered_voice(await services.voices.get(owner.id, voice_id))


@router.delete("/{voice_id}", status_code=204, summary="Forget a voice that you registered")
async def delete_voice(services: ServicesDependency, owner: Owner, voice_id: UUID) -> Response:
    """Erase the voice, its recording and its embeddings."""
    for key in await services.voices.delete(owner.id, voice_id):
        await asyncio.to_thread(services.objects.delete, key)
    return Response(status_code=204)
