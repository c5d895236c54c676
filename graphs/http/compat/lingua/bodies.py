"""Request bodies of lingua's clients: audio in JSON, as base64 or as lists of numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from graphs.common.config import ApiConfig
from graphs.common.errors import ApiError
from graphs.http.server.bodies import BodyT, JsonBody
from graphs.http.server.services import Services
from models.audio import SAMPLE_RATE
from models.errors import InputError

_MAX_RATE = 48_000
# A float32 as JSON writers print it, and its comma.
_BYTES_PER_SAMPLE = 24
_OTHER_BYTES = 64 * 1024

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Samples = list[FiniteFloat]
Rate = Annotated[int, Field(ge=8000, le=_MAX_RATE)]


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


def file_bytes(config: ApiConfig) -> int:
    """Return the most bytes of a body with an audio file in base64."""
    return config.assistant.max_audio_bytes * 4 // 3 + _OTHER_BYTES


async def read_samples(body: JsonBody[BodyT], config: ApiConfig) -> BodyT:
    """Read a body with samples as numbers."""
    most = int(config.texts.max_reference_seconds * _MAX_RATE)
    return await body.read(limit=most * _BYTES_PER_SAMPLE // 2 + _OTHER_BYTES, max_items=most)


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


@contextmanager
def input_errors_as_400() -> Iterator[None]:
    """Answer 400 to what the engines call bad input."""
    try:
        yield
    except InputError as error:
        raise ApiError(400, error.code, error.message, field=error.field) from error
