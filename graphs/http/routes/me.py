"""The caller's name and the limits that apply to it, for clients that check before they upload."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from graphs.common.config import ApiConfig
from graphs.http.server.auth import Owner
from graphs.http.server.services import ServicesDependency

router = APIRouter(prefix="/v1", tags=["operation"])


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class RecordingBounds(_Part):
    """Of a recording that is transcribed, judged, translated or said by an avatar."""

    max_bytes: int
    min_seconds: float
    max_seconds: float


class TextBounds(_Part):
    """Of texts that are spoken or translated, and of registered voices."""

    max_speech_chars: int
    max_translation_chars: int
    max_reference_seconds: float


class AssistantBounds(_Part):
    """Of messages to the assistant."""

    max_message_chars: int
    max_audio_bytes: int
    max_audio_seconds: float


class AvatarBounds(_Part):
    """Of pictures and clips of faces."""

    max_bytes: int
    max_pixels: int
    max_clip_seconds: float
    max_per_owner: int


class VideoBounds(_Part):
    """Of films."""

    max_seconds: float


class LiveBounds(_Part):
    """Of live audio."""

    idle_seconds: float
    max_seconds: float
    max_utterance_seconds: float


class Limits(_Part):
    """Limits of the service; the names are those of its settings."""

    recordings: RecordingBounds
    texts: TextBounds
    assistant: AssistantBounds
    avatars: AvatarBounds
    video: VideoBounds
    live: LiveBounds

    @classmethod
    def of(cls, config: ApiConfig) -> "Limits":
        """Return those of the settings."""
        return cls.model_validate(config)


class MeBody(_Part):
    """The owner of the key that was sent."""

    name: str
    limits: Limits


@router.get("/me", summary="Whose key this is, and the limits of what it may send")
async def me(services: ServicesDependency, owner: Owner) -> MeBody:
    """Return the owner's name and the limits."""
    return MeBody(name=owner.name, limits=Limits.of(services.config))
