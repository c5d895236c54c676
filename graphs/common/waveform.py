"""A recording's waveform as an artifact of the job that decoded it."""

import asyncio
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from graphs.common.recordings import result_key
from models.audio import Waveform
from models.audio.waveform import LOUDEST, MOST_POINTS
from storage.jobs import Attempt
from storage.objects import ObjectStore

ARTIFACT = "waveform.json"


class RecordingWaveform(BaseModel):
    """Outline of a recording, to be drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    duration: float = Field(description="Seconds.")
    seconds_per_point: float = Field(description="What one peak stands for; the last may stand for less.")
    peaks: tuple[int, ...] = Field(
        max_length=MOST_POINTS,
        description=f"The largest magnitude of each span, from 0 to {LOUDEST} at full scale.",
    )


async def store_waveform(objects: ObjectStore, attempt: Attempt, waveform: Waveform) -> str:
    """Store the waveform of a recording beside the job's result; return its key."""
    outline = waveform.outline()
    shown = RecordingWaveform(
        duration=round(outline.duration, 3), seconds_per_point=outline.seconds_per_point, peaks=outline.peaks
    )
    key = result_key(attempt.job.id, attempt.fence, ARTIFACT)
    await asyncio.to_thread(objects.put, key, shown.model_dump_json().encode(), content_type="application/json")
    return key
