"""Requests for a transcription."""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from graphs.common.job_forms import EXAMPLE_KEY, Language, OfObject, SpeakersRequest

_NO_CONTROLS = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
_Hint = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=_NO_CONTROLS)]


class TranscriptionRequest(SpeakersRequest):
    """Options of a transcription, as form fields or as JSON."""

    language: Language | None = Field(
        default=None, description="ISO 639-1 code of the spoken language; left out, the engine chooses."
    )
    hotwords: _Hint | None = Field(
        default=None,
        description="Names and terms to expect, separated by spaces or commas; the recogniser may take fewer of them.",
    )
    prompt: _Hint | None = Field(
        default=None, description="Text whose spelling, punctuation and style the transcript goes on with."
    )
    spoof: bool = Field(default=False, description="Tell for every speaker whether the voice is real.")


class TranscriptionOfObject(TranscriptionRequest, OfObject):
    """A transcription of a recording that is in the object store already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object_key": EXAMPLE_KEY, "num_speakers": 2}]})
