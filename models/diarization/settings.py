"""Settings of the diarizers."""

from dataclasses import fields, replace
from typing import Literal, Self

from pydantic import Field, model_validator

from models.diarization.thresholds import TUNED, Thresholds
from models.settings import Settings
from models.speaker import CompactSettings, DiarizationSpeakerSettings
from models.vad import VadSettings


class ClusteringSettings(Settings):
    """Voice activity detection, speaker embeddings and clustering; no download. Times in seconds."""

    engine: Literal["clustering"] = "clustering"
    vad: VadSettings = Field(VadSettings(), description="When sound counts as speech.")
    speaker: DiarizationSpeakerSettings = Field(CompactSettings(), description="What tells voices apart.")
    window: float = Field(1.5, ge=0.4, description="Length of speech that one embedding stands for.")
    hop: float = Field(0.75, ge=0.1, description="From the start of one window to the start of the next.")
    similarity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="Windows of a smaller mean cosine similarity start as two groups; left out, as tuned.",
    )
    merge_similarity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="Groups whose centroids are more alike are one speaker; left out, as tuned.",
    )
    min_speaker_time: float = Field(
        2.5, ge=0.0, description="A voice heard for less is taken for one of the others where there are any."
    )
    min_speaker_share: float = Field(
        0.05,
        ge=0.0,
        lt=1.0,
        description="The same, as a share of all speech: long recordings gather odd windows that are nobody.",
    )
    change_cost: float | None = Field(
        None,
        ge=0.0,
        description="Evidence that a change of speaker takes, similarity times seconds; left out, as tuned.",
    )
    pause_cost: float | None = Field(
        None, ge=0.0, description="The same where the change falls into a pause; left out, as tuned."
    )
    merge_gap: float = Field(0.3, ge=0.0, description="A speaker's turns closer than this are one.")
    min_turn: float = Field(0.2, ge=0.0, description="Turns shorter than this are dropped.")

    @property
    def thresholds(self) -> Thresholds:
        """Those set here, and for the others what was tuned for the encoder."""
        tuned = TUNED[self.speaker.engine]
        chosen = {field.name: getattr(self, field.name) for field in fields(Thresholds)}
        return replace(tuned, **{name: value for name, value in chosen.items() if value is not None})

    @model_validator(mode="after")
    def _windows_leave_no_hole(self) -> Self:
        if self.hop > self.window:
            raise ValueError("hop must not be longer than window: speech between windows would belong to nobody")
        return self


DiarizationSettings = ClusteringSettings
"""Grows into a union, told apart by ``engine``, with the second diarizer."""
