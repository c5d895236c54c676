"""Parts of the requests for jobs that several kinds share."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_SPEAKERS = 20
EXAMPLE_KEY = "uploads/1/0f9c2a7be0d14d5f9c6f3e1f6a0b7c55"

SpeakerCount = Annotated[int, Field(ge=1, le=MAX_SPEAKERS)]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
VoiceName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ObjectKey = Annotated[str, StringConstraints(max_length=512)]


class RecordingRequest(BaseModel):
    """Options of every job on a recording."""

    model_config = ConfigDict(extra="forbid")

    allow_truncated: bool = Field(
        default=False, description="Use what is there of a recording that ends before its header says."
    )


class SpeakersRequest(RecordingRequest):
    """Options of every job that tells speakers apart."""

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


class OfObject(BaseModel):
    """The key of a recording that is in the object store already."""

    model_config = ConfigDict(extra="forbid")

    object_key: ObjectKey = Field(description="The key that POST /v1/uploads returned for this recording.")
