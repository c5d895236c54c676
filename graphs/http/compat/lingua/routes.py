"""The HTTP routes of lingua; all of them need an API key."""

import asyncio
import base64
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from graphs.common.errors import ApiError
from graphs.common.progress import result_of
from graphs.common.recordings import SharedRecording
from graphs.common.voices import Speaker, choose_voice
from graphs.http.compat.lingua.bodies import (
    Extraction,
    PiperSynthesis,
    Recognition,
    Registration,
    SpeechToSpeech,
    Synthesis,
    checked_text,
    file_bytes,
    input_errors_as_400,
    read_samples,
)
from graphs.http.routes.voices import keep_voice, require_cloning
from graphs.http.server.audio import decode_base64, resample_numbers, spoken_limits
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.services import Services, ServicesDependency
from graphs.translation.graph import AudioMade, SpeechTranslationGraph, TranslationEvent
from graphs.translation.report import SpeechTranslation
from graphs.translation.text import TranslationGraph
from graphs.translation.utterances import UTTERANCE_VAD, FindSpeech
from models.audio import SAMPLE_RATE
from models.audio.encoding import SyntheticMark, encode
from models.errors import InputError
from models.speech import Reference
from models.vad import SileroVad
from storage.objects import content_disposition
from storage.users import User
from storage.voices import VoiceNotFound

router = APIRouter(tags=["lingua"])

MIN_REFERENCE_S = 1.0
MAX_JSON_AUDIO_S = 60.0
_MIN_FACTOR, _MAX_FACTOR = 0.4, 2.5
_SAME_RATE = 0.05


@cache
def utterance_finder() -> FindSpeech:
    """Return the detector of utterances, one for this process."""
    return SileroVad(UTTERANCE_VAD).speech


@router.post("/s2s", summary="Speech to speech of another language")
async def speech_to_speech(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[SpeechToSpeech]
) -> dict[str, str]:
    """Return the translation as WAV in base64, with both texts. Longer recordings: POST /v1/jobs/translation."""
    body = await sent.read(limit=file_bytes(services.config))
    with input_errors_as_400():
        pcm = await decode_base64(body.audio, spoken_limits(services.config), field="audio")
    speaker = await services.speakers.find(owner.id, None, body.tgt_lang, language_field="tgt_lang")
    pieces: list[NDArray[np.float32]] = []

    async def collect(event: TranslationEvent) -> None:
        if isinstance(event, AudioMade):
            pieces.append(event.samples)

    roles = services.roles
    finder = await asyncio.to_thread(utterance_finder)
    graph = SpeechTranslationGraph(roles.asr, TranslationGraph(roles.translation), roles.speech, finder)
    events = graph.run(
        SharedRecording(pcm, pcm),
        source=body.src_lang,
        target=body.tgt_lang,
        speaker=speaker,
        keep_times=False,
        correlation_id=correlation_id_of(request),
    )
    report = await result_of(events, SpeechTranslation, collect)
    if not report.utterances:
        raise ApiError(400, "no_speech", "There is no speech in the audio.", field="audio")
    wav = await asyncio.to_thread(_wav, pieces, speaker)
    return {
        "audio": base64.b64encode(wav).decode(),
        "transcript": " ".join(utterance.source_text for utterance in report.utterances),
        "translation": " ".join(utterance.target_text for utterance in report.utterances),
    }


@router.post("/asr", summary="Speech to text")
async def recognise(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[Recognition]
) -> dict[str, Any]:
    """Return the words, by segment and as one text."""
    body = await sent.read(limit=file_bytes(services.config))
    if body.task != "transcribe":
        raise ApiError(422, "unsupported_task", "The task must be transcribe; POST /s2s translates.", field="task")
    with input_errors_as_400():
        pcm = await decode_base64(body.audio_b64, spoken_limits(services.config), field="audio_b64")
    language = body.language
    segments: list[str] = []
    stream = services.roles.asr.transcribe(pcm, language=body.language, correlation_id=correlation_id_of(request))
    async for item in stream:
        if isinstance(item, str):
            language = item
        else:
            segments.append(item.text)
    return {
        "text": " ".join(segments),
        "segments": segments,
        "language": language,
        "duration": round(len(pcm) / SAMPLE_RATE, 3),
    }


_SPEECH: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {}}, "description": "WAV, marked as synthetic in its metadata."}
}


@router.post(
    "/synthesize",
    response_class=Response,
    responses=_SPEECH,
    summary="Text to speech that may sound like a speaker",
)
async def synthesize(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[Synthesis]
) -> Response:
    """Return WAV, or, to a client that accepts JSON alone, an object with samples.

    The speaker is the registered one, else the reference, else the named voice, else the language's default; what was
    used is told by X-Used-Reference and X-Speaker-Applied, or in the object.
    """
    body = await read_samples(sent, services.config)
    text = checked_text(body.text, services)
    speaker, applied = await _speaker(services, owner, body, correlation_id_of(request))
    samples = await _spoken(services, request, text, speaker, _speed(body))
    if _wants_json(request):
        if len(samples) > MAX_JSON_AUDIO_S * speaker.voice.sample_rate:
            message = f"As JSON the speech may last {MAX_JSON_AUDIO_S:g} s; ask for audio/wav."
            raise ApiError(413, "too_large", message, field="text")
        document = await asyncio.to_thread(_as_json, samples, speaker, text, applied)
        return Response(document, media_type="application/json")
    headers = {
        "X-Used-Reference": json.dumps(speaker.reference is not None),
        "X-Speaker-Applied": json.dumps(applied),
        "X-Sample-Rate": str(speaker.voice.sample_rate),
    }
    return Response(await asyncio.to_thread(_wav, [samples], speaker), media_type="audio/wav", headers=headers)


async def _speaker(services: Services, owner: User, body: Synthesis, correlation_id: str) -> tuple[Speaker, bool]:
    """Return the voice to speak with, and whether it is the one that ``speaker`` names."""
    find = services.speakers.find
    default = await find(owner.id, None, body.language)
    clone = await _clone(services, owner, body, correlation_id)
    if clone is not None:
        return clone, False
    if body.speaker is not None:
        try:
            return await find(owner.id, body.speaker, body.language), True
        except InputError:
            # As in lingua: a name that nobody has leaves the default, and the answer says so.
            return default, False
    return default, False


async def _clone(services: Services, owner: User, body: Synthesis, correlation_id: str) -> Speaker | None:
    """Return the registered or the given speaker, None where there is none or no voice can sound like one."""
    reference: Reference | None = None
    name = "reference"
    if body.speaker_id is not None:
        try:
            registered = await services.voices.named(owner.id, body.speaker_id)
            reference, name = await services.speakers.reference(registered), registered.name
        except VoiceNotFound:
            pass
    if reference is None and body.reference_audio is not None:
        rate = body.reference_sample_rate
        pcm = await _numbers(services, body.reference_audio, rate, "reference_audio")
        embeddings, encoder = await services.roles.speaker.embed([pcm], correlation_id=correlation_id)
        reference = Reference(pcm, embeddings[0], encoder)
    if reference is None:
        return None
    try:
        voice, code = choose_voice(await services.roles.speech.voices(), body.language, clones=True)
    except InputError:
        return None
    return Speaker(voice, code, reference, name)


def _speed(body: Synthesis) -> float:
    """Return the speed at which the voice says so many characters a second."""
    if body.speech_rate is None:
        return 1.0
    rate = body.speech_rate
    normal = 5.0
    if not body.language.startswith("zh"):
        normal = 12.0
        rate *= 2.4 if rate < 6 else 1.0
    factor = min(max(rate / normal, _MIN_FACTOR), _MAX_FACTOR)
    return factor if abs(factor - 1.0) > _SAME_RATE else 1.0


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "audio/" not in accepted


def _as_json(samples: NDArray[np.float32], speaker: Speaker, text: str, applied: bool) -> bytes:
    return json.dumps(
        {
            "audio": np.round(samples.astype(np.float64), 5).tolist(),
            "sample_rate": speaker.voice.sample_rate,
            "text": text,
            "used_reference": speaker.reference is not None,
            "speaker_applied": applied,
        }
    ).encode()


@router.post("/register_speaker", summary="Register a speaker")
async def register_speaker(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[Registration]
) -> dict[str, Any]:
    """Keep a speaker under a name of yours, in the place of one of that name; DELETE /v1/voices/{id} forgets it."""
    body = await read_samples(sent, services.config)
    await require_cloning(services)
    pcm = await _numbers(services, body.reference_audio, body.reference_sample_rate, "reference_audio")
    if len(pcm) < MIN_REFERENCE_S * SAMPLE_RATE:
        message = f"A speaker takes at least {MIN_REFERENCE_S:g} s of speech."
        raise ApiError(400, "too_short", message, field="reference_audio")
    try:
        voice = await keep_voice(
            services, owner, body.speaker_id, pcm, replace=True, correlation_id=correlation_id_of(request)
        )
    except ValueError as error:
        raise ApiError(400, "invalid_request", f"speaker_id: {error}", field="speaker_id") from error
    return {
        "status": "ok",
        "speaker_id": voice.name,
        "message": "Speaker registered",
        "cache_size": len(await services.voices.list(owner.id)),
    }


@router.post(
    "/tts",
    response_class=Response,
    responses=_SPEECH,
    summary="Text to speech by a voice's name",
)
async def speak(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[PiperSynthesis]
) -> Response:
    """Return WAV, spoken by a voice of GET /voices or one that you registered."""
    body = await read_samples(sent, services.config)
    text = checked_text(body.text, services)
    try:
        speaker = await services.speakers.find(owner.id, body.voice, body.language)
    except InputError as error:
        status = 404 if error.code == "unknown_voice" else 400
        raise ApiError(status, error.code, error.message, field=error.field) from error
    samples = await _spoken(services, request, text, speaker, 1.0)
    headers = {"Content-Disposition": content_disposition(f"{body.voice}.wav")}
    return Response(await asyncio.to_thread(_wav, [samples], speaker), media_type="audio/wav", headers=headers)


@router.get("/voices", summary="The voices of POST /tts")
async def voices(services: ServicesDependency, owner: Owner) -> dict[str, list[dict[str, str]]]:
    """Return the synthesiser's voices; ``path`` names the model that speaks."""
    return {"voices": [{"name": voice.id, "path": voice.model} for voice in await services.roles.speech.voices()]}


@router.post("/extract_embedding", summary="A speaker's embedding")
async def extract_embedding(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[Extraction]
) -> list[float]:
    """Return the embedding of one speaker's speech as an array."""
    body = await read_samples(sent, services.config)
    pcm = await _numbers(services, body.audio, body.sample_rate, "audio")
    try:
        embeddings, _encoder = await services.roles.speaker.embed([pcm], correlation_id=correlation_id_of(request))
    except InputError as error:
        raise ApiError(400, error.code, error.message, field="audio") from error
    values: list[float] = embeddings[0].tolist()
    return values


@router.post("/extract", summary="A speaker's embedding, described")
async def extract(
    request: Request, services: ServicesDependency, owner: Owner, sent: JsonBody[Extraction]
) -> dict[str, Any]:
    """Return the embedding with its statistics; none for less than a second of speech."""
    body = await read_samples(sent, services.config)
    pcm = await _numbers(services, body.audio, body.sample_rate, "audio")
    told: dict[str, Any] = {"input_samples": len(pcm), "sample_rate": SAMPLE_RATE}
    if len(pcm) < SAMPLE_RATE:
        message = "An embedding takes at least 1 s of speech."
        return {
            "embedding": None,
            "too_short": True,
            "use_default": True,
            "estimated_gender": None,
            "message": message,
            **told,
        }
    embeddings, _encoder = await services.roles.speaker.embed([pcm], correlation_id=correlation_id_of(request))
    embedding = embeddings[0].astype(np.float64)
    stats = {
        "mean": embedding.mean(),
        "std": embedding.std(),
        "min": embedding.min(),
        "max": embedding.max(),
        "norm": np.linalg.norm(embedding),
        "abs_mean": np.abs(embedding).mean(),
    }
    return {
        "embedding": embedding.tolist(),
        "dimension": len(embedding),
        **told,
        "stats": {name: float(value) for name, value in stats.items()},
    }


async def _no_speaker_mode(_owner: Owner) -> JSONResponse:
    """Say what stands in the place of a mode that all callers would share."""
    raise ApiError(
        410,
        "gone",
        "There is no mode that all callers share: each request names its speaker, by speaker_id or voice.",
    )


for _method in ("GET", "POST"):
    router.add_api_route(
        "/config/speaker-mode",
        _no_speaker_mode,
        methods=[_method],
        status_code=410,
        summary="Not offered: a speaker is named by each request",
        name=f"lingua_speaker_mode_{_method.lower()}",
    )


async def _numbers(services: Services, values: Sequence[float], sample_rate: int, field: str) -> NDArray[np.float32]:
    longest = services.config.texts.max_reference_seconds
    with input_errors_as_400():
        return await resample_numbers(values, sample_rate, max_seconds=longest, field=field)


async def _spoken(
    services: Services, request: Request, text: str, speaker: Speaker, speed: float
) -> NDArray[np.float32]:
    stream = services.roles.speech.synthesize(
        text,
        voice=speaker.voice,
        language=speaker.language,
        speed=speed,
        reference=speaker.reference,
        correlation_id=correlation_id_of(request),
    )
    pieces = [chunk.samples async for chunk in stream]
    if not sum(map(len, pieces)):
        raise ApiError(400, "nothing_to_say", "The text has nothing that can be said.", field="text")
    return np.concatenate(pieces)


def _wav(pieces: list[NDArray[np.float32]], speaker: Speaker) -> bytes:
    return encode(pieces, "wav", speaker.voice.sample_rate, tags=SyntheticMark(speaker.voice.engine, speaker.name))
