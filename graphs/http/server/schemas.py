"""Bodies of the project's own routes."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_SPEAKERS = 20
_EXAMPLE_KEY = "uploads/1/0f9c2a7be0d14d5f9c6f3e1f6a0b7c55"

SpeakerCount = Annotated[int, Field(ge=1, le=MAX_SPEAKERS)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
AvatarName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^<>\x00-\x1f]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _RecordingRequest(_Body):
    """What every job on a recording takes."""

    allow_truncated: bool = Field(
        default=False, description="Use what is there of a recording that ends before its header says."
    )


class _SpeakersRequest(_RecordingRequest):
    """What a job takes that tells speakers apart."""

    num_speakers: SpeakerCount | None = Field(default=None, description="Number of speakers, where it is known.")
    min_speakers: SpeakerCount | None = None
    max_speakers: SpeakerCount | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.num_speakers is not None and (self.min_speakers is not None or self.max_speakers is not None):
            raise ValueError("num_speakers excludes min_speakers and max_speakers")
        if self.min_speakers is not None and self.max_speakers is not None:
            if self.min_speakers > self.max_speakers:
                raise ValueError("min_speakers is greater than max_speakers")
        return self


class _OfObject(_Body):
    """Names a recording that is in the object store already."""

    object_key: Annotated[str, StringConstraints(max_length=512)] = Field(
        description="The key that POST /v1/uploads returned for this recording."
    )


class TranscriptionRequest(_SpeakersRequest):
    """What a caller may ask of a transcription; as form fields or as JSON."""

    language: Language | None = Field(
        default=None, description="ISO 639-1 code of the spoken language; left out, the engine chooses."
    )
    spoof: bool = Field(default=False, description="Tell for every speaker whether the voice is real.")


class TranscriptionOfObject(TranscriptionRequest, _OfObject):
    """A transcription of a recording that is in the object store already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object_key": _EXAMPLE_KEY, "num_speakers": 2}]})


class SpoofRequest(_SpeakersRequest):
    """What a caller may ask of a spoof analysis; as form fields or as JSON."""

    diarize: bool = Field(default=False, description="Judge every speaker too; the numbers of speakers are for this.")

    @model_validator(mode="after")
    def _speakers_are_for_diarization(self) -> Self:
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            if getattr(self, name) is not None and not self.diarize:
                raise ValueError(f"{name} needs diarize=true")
        return self


class SpoofOfObject(SpoofRequest, _OfObject):
    """A spoof analysis of a recording that is in the object store already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object_key": _EXAMPLE_KEY, "diarize": True}]})


class SpeechTranslationRequest(_RecordingRequest):
    """What a caller may ask of a speech translation; as form fields or as JSON."""

    target: Language = Field(description="ISO 639-1 code of the language wanted.")
    source: Language | None = Field(
        default=None,
        description="ISO 639-1 code of the spoken language; left out, the recogniser chooses, once for the recording.",
    )
    speak: bool = Field(default=True, description="Speak the translation; its text comes in any case.")
    voice: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="Id of a voice of GET /v1/voices, or of one that you registered; left out, the language's default.",
    )
    audio_format: Literal["wav", "mp3", "opus", "flac"] = Field(
        default="wav", description="Format of the translated audio."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.source == self.target:
            raise ValueError("source and target are the same language")
        for name in ("voice", "audio_format"):
            if name in self.model_fields_set and not self.speak:
                raise ValueError(f"{name} needs speak=true")
        return self


class SpeechTranslationOfObject(SpeechTranslationRequest, _OfObject):
    """A translation of a recording that is in the object store already."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"object_key": _EXAMPLE_KEY, "source": "en", "target": "es"}]}
    )


class AvatarFilmRequest(_RecordingRequest):
    """What a caller may ask of a film of a recording that an avatar says; as form fields or as JSON."""

    avatar: AvatarName = Field(default="default", description="Id of an avatar (GET /v1/avatars).")
    label: bool = Field(
        default=False, description="Draw into the picture that it is synthetic, also where the service need not."
    )


class AvatarFilmOfObjectOrText(AvatarFilmRequest):
    """A film of a recording that is in the object store already, or of a text."""

    object_key: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="The key that POST /v1/uploads returned for this recording."
    )
    text: str | None = Field(default=None, description="What to say.")
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$")] | None = Field(
        default=None, description="BCP 47 code, lower case: en, en-gb, zh. Left out, it is the voice's own."
    )
    voice: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="Id of a voice of GET /v1/voices, or of one that you registered; left out, the language's default.",
    )
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = Field(default=1.0, description="1 is the voice's own speed.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "Good morning.", "language": "en"}, {"object_key": _EXAMPLE_KEY, "label": True}]
        }
    )

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.object_key is None) == (self.text is None):
            raise ValueError("name either an object_key or a text")
        needed = {"language": "text", "voice": "text", "speed": "text", "allow_truncated": "object_key"}
        for name, other in needed.items():
            if name in self.model_fields_set and getattr(self, other) is None:
                raise ValueError(f"{name} needs {other}")
        return self


class UploadRequest(_Body):
    """A wish to upload past the service, straight to the object store."""

    content_type: Annotated[str, StringConstraints(pattern=r"^(audio|video|application)/[a-z0-9.+-]{1,64}$")] = (
        "application/octet-stream"
    )


class UploadTicket(_Body):
    """How to upload: send the body to ``url`` with ``method`` and these headers, then name the key in a job."""

    object_key: str
    url: str
    method: str
    headers: dict[str, str]
    max_bytes: int
    expires_at: datetime


class ProblemBody(_Body):
    """Why a job failed."""

    code: str
    message: str
    field: str | None = None


class JobBody(_Body):
    """A job as its owner sees it."""

    id: UUID
    kind: str
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    stage: str | None
    progress: float = Field(description="From 0 to 1.")
    queue_position: int | None = Field(description="1 for the job that is taken next; null once it was taken.")
    attempt: int
    params: dict[str, Any]
    filename: str | None
    result: dict[str, Any] | None
    artifacts: dict[str, str] = Field(description="Where the results are, by format.")
    labels: dict[str, str] = Field(description="Names given to speakers.")
    error: ProblemBody | None
    correlation_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class JobPageBody(_Body):
    """A page of jobs, newest first."""

    jobs: list[JobBody]
    next_cursor: str | None


class LabelsBody(_Body):
    """Names for the speakers of a transcript."""

    labels: dict[str, Label]
