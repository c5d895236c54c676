"""The spoof graph as a durable job: from an object's key to a stored report."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from graphs.common.config import RecordingLimits
from graphs.common.engines import engines_behind
from graphs.common.progress import Diarized, result_of
from graphs.common.recordings import (
    SharedRecording,
    audio_limits,
    blocks_of,
    decode_recording,
    result_key,
    stream_recording,
)
from graphs.common.roles import Role
from graphs.common.waveform import store_waveform
from graphs.spoof.graph import Blocks, ChunksScored, SpoofEvent, SpoofGraph, SpoofOptions
from graphs.spoof.report import SpoofReport
from models.audio import AudioLimits, Waveform
from storage.jobs import Attempt, Job, JobResult
from storage.objects import ObjectStore

ARTIFACT = "spoof.json"
_SCORED = 0.98

_log = structlog.get_logger()


@dataclass(frozen=True)
class SpoofJob:
    """Runs one attempt at a spoof job.

    Args:
        graph: The graph over its roles.
        objects: Where recordings and reports lie.
        limits: Bounds of a recording.
        share: Puts samples where all processes can read them without a copy each.
    """

    graph: SpoofGraph
    objects: ObjectStore
    limits: RecordingLimits
    share: Callable[[NDArray[np.float32]], SharedRecording]

    async def __call__(self, attempt: Attempt) -> JobResult:
        """Decode, score, store; raises InputError for a recording that can't be used."""
        job = attempt.job
        asked = dict(job.params["options"])
        limits = audio_limits(self.limits, bool(asked.pop("allow_truncated", False)))
        options = SpoofOptions(**asked)
        _log.info("spoof analysis start", upload_id=str(job.id), attempt=attempt.fence)
        await attempt.progress("decode", 0.0)
        waveform = Waveform()
        roles: dict[str, Role] = {"spoof": self.graph.spoof}
        if options.diarize:
            roles["diarization"] = self.graph.diarization
        made_by = await engines_behind(roles)
        if options.diarize:
            report = await self._with_speakers(attempt, limits, options, waveform)
        else:
            report = await self._streamed(attempt, limits, options, waveform)
        report = report.model_copy(update=dict(made_by))
        key = result_key(job.id, attempt.fence, ARTIFACT)
        body = report.model_dump_json().encode()
        await asyncio.to_thread(self.objects.put, key, body, content_type="application/json")
        outline = await store_waveform(self.objects, attempt, waveform)
        _log.info("spoof analysis complete", upload_id=str(job.id), seconds=report.timings)
        result = {"artifact": key, "waveform_object": outline, **_summary(report)}
        return JobResult(result=result, timings=report.timings)

    async def _streamed(
        self, attempt: Attempt, limits: AudioLimits, options: SpoofOptions, waveform: Waveform
    ) -> SpoofReport:
        """Decode while scoring: no more of the recording is in memory than a few blocks."""
        read = 0.0

        def on_read(share: float) -> None:
            nonlocal read
            read = share

        blocks = stream_recording(self.objects, _input_of(attempt.job), limits, waveform, on_read)
        return await self._run(attempt, blocks, options, None, lambda: read)

    async def _with_speakers(
        self, attempt: Attempt, limits: AudioLimits, options: SpoofOptions, waveform: Waveform
    ) -> SpoofReport:
        """Decode first: a diarizer hears the recording as a whole."""
        started = time.monotonic()
        pcm = await decode_recording(self.objects, _input_of(attempt.job), limits, waveform)
        whole = await asyncio.to_thread(self.share, pcm)
        del pcm
        decoded = time.monotonic() - started
        report = await self._run(attempt, blocks_of(whole.samples), options, whole, lambda: 1.0)
        timings = report.timings | {"decode": round(decoded + report.timings["decode"], 3)}
        return report.model_copy(update={"timings": timings})

    async def _run(
        self,
        attempt: Attempt,
        blocks: Blocks,
        options: SpoofOptions,
        whole: SharedRecording | None,
        read: Callable[[], float],
    ) -> SpoofReport:
        # The header's word for the length, 0 where it has none.
        declared = whole.duration if whole else attempt.job.cost

        async def tell(event: SpoofEvent) -> None:
            match event:
                case ChunksScored(chunks):
                    told = [chunk.model_dump(include={"start", "end", "p_spoof"}) for chunk in chunks]
                    await attempt.event("chunks", {"chunks": told})
                    share = chunks[-1].end / declared if declared else read()
                    await attempt.progress("spoof", round(_SCORED * min(1.0, share), 4))
                case Diarized():
                    await attempt.event("diarized", event.as_json())

        events = self.graph.run(blocks, options, whole=whole, correlation_id=attempt.job.correlation_id)
        return await result_of(events, SpoofReport, tell)


def _input_of(job: Job) -> str:
    assert job.input_key is not None
    return job.input_key


def _summary(report: SpoofReport) -> dict[str, Any]:
    """Return the report without its timeline, and how many chunks that has."""
    summary = report.model_dump(mode="json", exclude={"version", "chunks", "speakers"})
    verdicts = [speaker.model_dump(mode="json") for speaker in report.speakers or ()]
    return {
        **summary,
        "chunks": len(report.chunks),
        "speakers": [verdict["speaker"] for verdict in verdicts],
        "speaker_verdicts": verdicts if report.speakers is not None else None,
    }
