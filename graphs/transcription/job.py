"""The transcription graph as a durable job: from an object's key to a stored transcript."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from graphs.common.config import RecordingLimits
from graphs.common.engines import MadeByEngines, engines_behind
from graphs.common.progress import Diarized, Progress, result_of
from graphs.common.recordings import SharedRecording, audio_limits, decode_recording, result_key
from graphs.common.roles import Role
from graphs.common.waveform import store_waveform
from graphs.transcription.graph import SegmentRecognised, TranscriptionEvent, TranscriptionGraph, TranscriptionOptions
from graphs.transcription.transcript import Transcript
from models.audio import Waveform
from storage.jobs import Attempt, JobResult
from storage.objects import ObjectStore

ARTIFACT = "transcript.json"
_DECODED = 0.05
_RECOGNISED = 0.98

_log = structlog.get_logger()


@dataclass(frozen=True)
class TranscriptionJob:
    """Runs one attempt at a transcription job.

    Args:
        graph: The graph over its roles.
        objects: Where recordings and transcripts lie.
        limits: Bounds of a recording.
        share: Puts samples where all processes can read them without a copy each.
    """

    graph: TranscriptionGraph
    objects: ObjectStore
    limits: RecordingLimits
    share: Callable[[NDArray[np.float32]], SharedRecording]

    async def __call__(self, attempt: Attempt) -> JobResult:
        """Decode, transcribe, store; raises InputError for a recording that can't be used."""
        job = attempt.job
        options = dict(job.params["options"])
        limits = audio_limits(self.limits, bool(options.pop("allow_truncated", False)))
        _log.info("transcription start", upload_id=str(job.id), attempt=attempt.fence)
        await attempt.progress("decode", 0.0)
        started = time.monotonic()
        assert job.input_key is not None
        waveform = Waveform()
        pcm = await decode_recording(self.objects, job.input_key, limits, waveform)
        recording = await asyncio.to_thread(self.share, pcm)
        del pcm
        decoded = round(time.monotonic() - started, 3)
        await attempt.progress("transcribe", _DECODED)
        asked = TranscriptionOptions(**options)
        made_by = await self._engines(asked)
        events = self.graph.run(recording, asked, correlation_id=job.correlation_id)
        transcript = await result_of(events, Transcript, partial(_tell, attempt))
        timings = {"decode": decoded, **transcript.timings}
        transcript = transcript.model_copy(update={"timings": timings, **dict(made_by)})
        key = result_key(job.id, attempt.fence, ARTIFACT)
        body = transcript.model_dump_json().encode()
        await asyncio.to_thread(self.objects.put, key, body, content_type="application/json")
        outline = await store_waveform(self.objects, attempt, waveform)
        _log.info("transcription complete", upload_id=str(job.id), seconds=timings)
        summary: dict[str, Any] = {
            "artifact": key,
            "waveform_object": outline,
            "duration": transcript.duration,
            "language": transcript.language,
            "speakers": list(transcript.speakers),
            "turns": len(transcript.turns),
            "timings": timings,
            **made_by.model_dump(mode="json"),
        }
        if transcript.spoof is not None:
            summary["spoof"] = transcript.spoof.model_dump(mode="json")
        return JobResult(result=summary, timings=timings)

    async def _engines(self, asked: TranscriptionOptions) -> MadeByEngines:
        graph = self.graph
        roles: dict[str, Role] = {"asr": graph.asr, "diarization": graph.diarization}
        if asked.spoof:
            roles["spoof"] = graph.spoof
        return await engines_behind(roles)


async def _tell(attempt: Attempt, event: TranscriptionEvent) -> None:
    """Write what an event of the graph says to the job's event log."""
    match event:
        case Diarized():
            await attempt.event("diarized", event.as_json())
        case SegmentRecognised(segment):
            await attempt.event("segment", {"start": segment.start, "end": segment.end, "text": segment.text})
        case Progress(fraction):
            await attempt.progress("transcribe", round(_DECODED + (_RECOGNISED - _DECODED) * fraction, 4))
