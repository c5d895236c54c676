"""Requests for an avatar film."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from graphs.common.job_forms import EXAMPLE_KEY, ObjectKey, RecordingRequest, VoiceName

AvatarName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class AvatarFilmRequest(RecordingRequest):
    """Options of a film in which an avatar says a recording, as form fields or as JSON."""

    avatar: AvatarName = Field(default="default", description="Id of an avatar (GET /v1/avatars).")
    label: bool = Field(
        default=False, description="Draw into the picture that it is synthetic, also where the service need not."
    )


class AvatarFilmOfObjectOrText(AvatarFilmRequest):
    """A film of a recording that is in the object store already, or of a text."""

    object_key: ObjectKey | None = Field(
        default=None, description="The key that POST /v1/uploads returned for this recording."
    )
    text: str | None = Field(default=None, description="What to say.")
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$")] | None = Field(
        default=None, description="BCP 47 code, lower case: en, en-gb, zh. Left out, it is the voice's own."
    )
    voice: VoiceName | None = Field(
        default=None,
        description="Id of a voice of GET /v1/voices, or of one that you registered; left out, the language's default.",
    )
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = Field(default=1.0, description="1 is the voice's own speed.")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "Good morning.", "language": "en"}, {"object_key": EXAMPLE_KEY, "label": True}]
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
