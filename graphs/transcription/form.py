"""Requests for a transcription."""

from pydantic import ConfigDict, Field

from graphs.common.job_forms import EXAMPLE_KEY, Language, OfObject, SpeakersRequest


class TranscriptionRequest(SpeakersRequest):
    """Options of a transcription, as form fields or as JSON."""

    language: Language | None = Field(
        default=None, description="ISO 639-1 code of the spoken language; left out, the engine chooses."
    )
    spoof: bool = Field(default=False, description="Tell for every speaker whether the voice is real.")


class TranscriptionOfObject(TranscriptionRequest, OfObject):
    """A transcription of a recording that is in the object store already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object_key": EXAMPLE_KEY, "num_speakers": 2}]})
