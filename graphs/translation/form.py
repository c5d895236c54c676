"""Requests for a speech translation."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from graphs.common.job_forms import EXAMPLE_KEY, Language, OfObject, RecordingRequest, VoiceName


class SpeechTranslationRequest(RecordingRequest):
    """Options of a speech translation, as form fields or as JSON."""

    target: Language = Field(description="ISO 639-1 code of the language wanted.")
    source: Language | None = Field(
        default=None,
        description="ISO 639-1 code of the spoken language; left out, the recogniser chooses, once for the recording.",
    )
    speak: bool = Field(default=True, description="Speak the translation; its text comes in any case.")
    voice: VoiceName | None = Field(
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


class SpeechTranslationOfObject(SpeechTranslationRequest, OfObject):
    """A translation of a recording that is in the object store already."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"object_key": EXAMPLE_KEY, "source": "en", "target": "es"}]}
    )
