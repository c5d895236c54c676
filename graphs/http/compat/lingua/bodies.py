"""What lingua's clients send: audio in JSON, as base64 or as lists of numbers, bounded before it is parsed."""

import asyncio
import base64
import binascii
import io
from typing import Annotated, TypeVar

import numpy as np
from av.audio.frame import AudioFrame
from fastapi import Request
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError

from graphs.common.errors import ApiError
from graphs.http.server.bodies import read_body
from graphs.http.server.services import Services
from models.audio import SAMPLE_RATE, AudioLimits, decode
from models.audio.mono import MonoTrack
from models.errors import InputError

_MAX_RATE = 48_000
# A float32 as JSON writers print it, and its comma.
_BYTES_PER_SAMPLE = 24
_OTHER_BYTES = 64 * 1024
_MIN_SECONDS = 0.1

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Samples = list[FiniteFloat]
Rate = Annotated[int, Field(ge=8000, le=_MAX_RATE)]

ModelT = TypeVar("ModelT", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SpeechToSpeech(_Body):
    """POST /s2s."""

    audio: str = Field(description="WAV, or any other audio file, in base64.")
    src_lang: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
    tgt_lang: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


class Recognition(_Body):
    """POST /asr. The engine's own settings hold: the fields after ``task`` are taken and change nothing."""

    audio_b64: str = Field(description="WAV, or any other audio file, in base64.")
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    task: str = Field(default="transcribe", description="transcribe; speech is translated by /s2s.")
    prompt: str | None = Field(default=None, max_length=4000)
    beam_size: int | None = Field(default=None, ge=1, le=100)
    vad_filter: bool | None = None
    condition_on_previous_text: bool | None = None


class Synthesis(_Body):
    """POST /synthesize."""

    text: str
    language: Language = "zh"
    speaker_id: Name | None = Field(default=None, description="Name of a voice that you registered.")
    reference_audio: Samples | None = Field(default=None, description="Speech of whom to sound like.")
    reference_sample_rate: Rate = SAMPLE_RATE
    voice_embedding: Samples | None = Field(default=None, description="Not used: the service makes its own.")
    speaker: Name | None = Field(default=None, description="Id of one of the synthesiser's voices.")
    speech_rate: Annotated[FiniteFloat, Field(gt=0, le=100)] | None = Field(
        default=None, description="Characters a second."
    )


class Registration(_Body):
    """POST /register_speaker."""

    speaker_id: Name
    reference_audio: Samples
    reference_sample_rate: Rate = SAMPLE_RATE
    voice_embedding: Samples | None = Field(default=None, description="Not used: the service makes its own.")


class PiperSynthesis(_Body):
    """POST /tts."""

    text: str
    voice: Name
    language: Language | None = None


class Extraction(_Body):
    """POST /extract_embedding and POST /extract."""

    audio: Samples
    sample_rate: Rate = SAMPLE_RATE


async def read_files(request: Request, services: Services, model: type[ModelT]) -> ModelT:
    """Read a body with an audio file in base64."""
    return await _parsed(request, model, services.config.assistant.max_audio_bytes * 4 // 3 + _OTHER_BYTES)


async def read_samples(request: Request, services: Services, model: type[ModelT]) -> ModelT:
    """Read a body with samples as numbers."""
    most = int(services.config.texts.max_reference_seconds * _MAX_RATE)
    return await _parsed(request, model, most * _BYTES_PER_SAMPLE // 2 + _OTHER_BYTES, most)


async def _parsed(request: Request, model: type[ModelT], limit: int, most_values: int | None = None) -> ModelT:
    body = await read_body(request, limit)
    # Short numbers would become many times their bytes in memory.
    if most_values is not None and body.count(b",") > most_values + 1000:
        raise ApiError(413, "too_large", f"There are more than {most_values} samples.", field="body")
    try:
        return await asyncio.to_thread(model.model_validate_json, body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        if fault["type"] == "json_invalid":
            raise ApiError(400, "malformed_json", "Invalid JSON", field="body") from None
        field = ".".join(map(str, fault["loc"]))
        if fault["type"] == "missing":
            raise ApiError(400, "missing_field", f"Missing '{field}'", field=field) from None
        raise ApiError(400, "invalid_request", f"{field}: {fault['msg']}", field=field) from None


def checked_text(text: str, services: Services) -> str:
    """Return a text to be spoken.

    Raises:
        ApiError: It is empty or too long.
    """
    limit = services.config.texts.max_speech_chars
    if not text.strip():
        raise ApiError(400, "empty_text", "Empty text", field="text")
    if len(text) > limit:
        raise ApiError(400, "too_long", f"The text is longer than {limit} characters.", field="text")
    return text


async def decoded(services: Services, encoded: str, field: str) -> NDArray[np.float32]:
    """Decode an audio file in base64 to mono float32 at 16 kHz.

    Raises:
        ApiError: It is no base64, or no audio that can be used.
    """
    limits = AudioLimits(min_seconds=_MIN_SECONDS, max_seconds=services.config.assistant.max_audio_seconds)

    def read() -> NDArray[np.float32]:
        return decode(io.BytesIO(base64.b64decode(encoded, validate=True)), limits)

    try:
        return await asyncio.to_thread(read)
    except binascii.Error as error:
        raise ApiError(400, "invalid_base64", f"{field} is not base64.", field=field) from error
    except InputError as error:
        raise ApiError(400, error.code, error.message, field=field) from error


async def at_16_khz(services: Services, values: Samples, sample_rate: int, field: str) -> NDArray[np.float32]:
    """Return samples as mono float32 at 16 kHz.

    Raises:
        ApiError: There are none, or more than a reference may have.
    """
    longest = services.config.texts.max_reference_seconds
    if not values:
        raise ApiError(400, "empty_audio", f"Empty {field}", field=field)
    if len(values) > longest * sample_rate:
        raise ApiError(400, "too_long", f"{field} is longer than {longest:g} s.", field=field)

    def resample() -> NDArray[np.float32]:
        samples: NDArray[np.float32] = np.clip(np.array(values), -1.0, 1.0).astype(np.float32)
        if sample_rate == SAMPLE_RATE:
            return samples
        frame = AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate = sample_rate
        track = MonoTrack(SAMPLE_RATE, pad_start=False)
        return np.concatenate([np.zeros(0, np.float32), *track.push(frame), *track.flush()])

    return await asyncio.to_thread(resample)
