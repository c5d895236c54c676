"""Text to speech: /v1/speech, and the same in OpenAI's shape at /v1/audio/speech."""

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from graphs.common.errors import ApiError, as_api_error
from graphs.common.voices import DEFAULT_VOICE, Speaker
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import MAX_JSON_BYTES, JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.services import Services, ServicesDependency
from models.audio.encoding import AudioEncoder, AudioFormat, SyntheticMark, encode, extension_of, sample_rate_of
from models.errors import InputError
from models.speech import SpeechChunk
from storage.users import User

router = APIRouter(prefix="/v1", tags=["speech"])

MIN_SPEED = 0.25
MAX_SPEED = 4.0
# OpenAI's clients must name one of OpenAI's voices; here they mean the language's default.
OPENAI_VOICES = frozenset(
    ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin", "cedar")
)

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$")]
VoiceName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Speed = Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SpeechRequest(_Body):
    """Text to speak, and how to speak it."""

    text: str = Field(description="What to say.")
    language: LanguageCode | None = Field(
        default=None, description="BCP 47 code, lower case: en, en-gb, zh. Left out, it is the voice's own."
    )
    voice: VoiceName | None = Field(
        default=None,
        description="Id of a voice (GET /v1/voices), or the name of one of yours; left out, the language's default.",
    )
    format: AudioFormat = Field(default="wav", description="WAV, bare 16-bit samples, MP3, Opus in Ogg, FLAC or AAC.")
    sample_rate: int | None = Field(default=None, description="Hz; left out, the voice's own or the next that fits.")
    speed: Speed = Field(default=1.0, description="1 is the voice's own speed.")
    stream: bool = Field(
        default=True,
        description="Send the sound while it is made, a WAV without its length; else the whole file at once.",
    )

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"text": "Good morning.", "language": "en", "format": "mp3"}]}
    )


class OpenAiSpeechRequest(_Body):
    """The body of OpenAI's ``POST /v1/audio/speech``."""

    input: str = Field(description="What to say.")
    model: str = Field(description="Any name: the engine that is configured speaks.", max_length=100)
    voice: VoiceName = Field(description="As for /v1/speech; OpenAI's own names stand for the default voice.")
    response_format: AudioFormat = "mp3"
    speed: Speed = 1.0
    stream_format: Literal["audio", "sse"] = "audio"


_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The speech. X-Sample-Rate tells its rate, X-Synthetic-Speech the engine and the voice.",
        "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/speech", response_class=Response, responses=_AUDIO, summary="Say a text")
async def create_speech(
    request: Request, services: ServicesDependency, owner: Owner, body: JsonBody[SpeechRequest]
) -> Response:
    """Return the speech, from its first clause on while the rest is being made; marked as synthetic in its metadata."""
    asked = await body.read(limit=_json_limit(services))
    speech = await _begin(
        request,
        services,
        owner,
        asked.text,
        asked.voice,
        asked.language,
        asked.format,
        asked.sample_rate,
        asked.speed,
        "text",
    )
    if asked.stream:
        return StreamingResponse(speech.encoded(), media_type=speech.media_type, headers=speech.headers)
    return Response(await speech.whole(), media_type=speech.media_type, headers=speech.headers)


@router.post("/audio/speech", response_class=Response, responses=_AUDIO, summary="Say a text, for OpenAI's clients")
async def create_openai_speech(
    request: Request, services: ServicesDependency, owner: Owner, body: JsonBody[OpenAiSpeechRequest]
) -> Response:
    """Return the speech as OpenAI's route does: as audio, or as server-sent events with pieces of it in base64."""
    asked = await body.read(limit=_json_limit(services))
    voice = DEFAULT_VOICE if asked.voice in OPENAI_VOICES else asked.voice
    rate = 24_000 if asked.response_format == "pcm" else None
    speech = await _begin(
        request, services, owner, asked.input, voice, None, asked.response_format, rate, asked.speed, "input"
    )
    if asked.stream_format == "sse":
        return StreamingResponse(speech.events(), media_type="text/event-stream", headers=speech.headers)
    return StreamingResponse(speech.encoded(), media_type=speech.media_type, headers=speech.headers)


def _json_limit(services: Services) -> int:
    """Return the most bytes of a body: a character takes up to 12 as JSON escapes it."""
    return MAX_JSON_BYTES + 12 * services.config.texts.max_speech_chars


class _Speech:
    """A synthesis whose first chunk is there: what was wrong with the request has shown."""

    def __init__(
        self,
        first: SpeechChunk,
        rest: AsyncGenerator[SpeechChunk, None],
        format: AudioFormat,
        sample_rate: int | None,
        mark: SyntheticMark,
    ) -> None:
        self._first, self._rest, self._format, self._rate, self._mark = first, rest, format, sample_rate, mark
        self._encoder = AudioEncoder(format, first.sample_rate, sample_rate, mark)
        self.media_type = self._encoder.media_type
        self.headers = {
            "X-Sample-Rate": str(self._encoder.sample_rate),
            **speech_headers(mark.engine, mark.voice),
            "Content-Disposition": f'inline; filename="speech.{extension_of(format)}"',
        }

    async def encoded(self) -> AsyncIterator[bytes]:
        try:
            yield self._encoder.write(self._first.samples)
            async for chunk in self._rest:
                if data := self._encoder.write(chunk.samples):
                    yield data
            yield self._encoder.finish()
        finally:
            await self._rest.aclose()

    async def whole(self) -> bytes:
        samples = [self._first.samples, *[chunk.samples async for chunk in self._rest]]
        return encode(samples, self._format, self._first.sample_rate, self._rate, self._mark)

    async def events(self) -> AsyncIterator[str]:
        try:
            async for data in self.encoded():
                yield _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
            yield _event({"type": "speech.audio.done"})
        except Exception as error:
            translated = as_api_error(error)
            yield _event({"type": "error", "error": {"code": translated.code, "message": translated.detail}})


def speech_headers(engine: str, voice: str) -> dict[str, str]:
    """Return the headers of a response that has synthetic speech in it."""
    return {"X-Synthetic-Speech": f"engine={engine}; voice={voice.encode('ascii', 'replace').decode()}"}


def _event(data: dict[str, object]) -> str:
    return f"data: {json.dumps(data)}\n\n"


async def _begin(
    request: Request,
    services: Services,
    owner: User,
    text: str,
    voice: str | None,
    language: str | None,
    format: AudioFormat,
    sample_rate: int | None,
    speed: float,
    text_field: str,
) -> _Speech:
    limit = services.config.texts.max_speech_chars
    if not text.strip():
        raise InputError("empty_text", "There is nothing to say.", field=text_field)
    if len(text) > limit:
        raise InputError("too_long", f"The text is longer than {limit} characters.", field=text_field)
    if voice in (None, DEFAULT_VOICE) and language is None:
        language = services.config.assistant.language
    speaker = await services.speakers.find(owner.id, voice, language)
    sample_rate_of(format, speaker.voice.sample_rate, sample_rate)
    chunks = _chunks(services, speaker, text, speed, correlation_id_of(request))
    first = await anext(chunks, None)
    if first is None:
        raise ApiError(422, "nothing_to_say", "The text has nothing that can be said.", field=text_field)
    mark = SyntheticMark(speaker.voice.engine, speaker.name)
    return _Speech(first, chunks, format, sample_rate, mark)


async def _chunks(
    services: Services, speaker: Speaker, text: str, speed: float, correlation_id: str
) -> AsyncGenerator[SpeechChunk, None]:
    stream = services.roles.speech.synthesize(
        text,
        voice=speaker.voice,
        language=speaker.language,
        speed=speed,
        reference=speaker.reference,
        correlation_id=correlation_id,
    )
    async for chunk in stream:
        yield chunk
