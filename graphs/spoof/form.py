"""Requests for a spoof analysis."""

from typing import Self

from pydantic import ConfigDict, Field, model_validator

from graphs.common.job_forms import EXAMPLE_KEY, OfObject, SpeakersRequest


class SpoofRequest(SpeakersRequest):
    """Options of a spoof analysis, as form fields or as JSON."""

    diarize: bool = Field(default=False, description="Judge every speaker too; the numbers of speakers are for this.")

    @model_validator(mode="after")
    def _speakers_are_for_diarization(self) -> Self:
        for name in ("num_speakers", "min_speakers", "max_speakers"):
            if getattr(self, name) is not None and not self.diarize:
                raise ValueError(f"{name} needs diarize=true")
        return self


class SpoofOfObject(SpoofRequest, OfObject):
    """A spoof analysis of a recording that is in the object store already."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"object_key": EXAMPLE_KEY, "diarize": True}]})
