"""Jobs as their owners see them, and the results behind them."""

import asyncio
from uuid import UUID

from graphs.formats import to_srt, to_text, to_vtt
from graphs.http.errors import ApiError
from graphs.http.schemas import JobBody, ProblemBody
from graphs.http.services import Services
from graphs.transcript import Transcript
from models.diarization import SpeakerTurn
from models.diarization.rttm import write_rttm
from storage.jobs import Job

MAX_TRANSCRIPT_BYTES = 256 * 1024 * 1024

ARTIFACTS = {
    "transcript.json": "application/json",
    "transcript.srt": "application/x-subrip",
    "transcript.vtt": "text/vtt",
    "transcript.txt": "text/plain; charset=utf-8",
    "diarization.rttm": "text/plain; charset=utf-8",
}


async def job_body(services: Services, job: Job) -> JobBody:
    """Describe a job; where its objects lie stays inside."""
    base = f"/v1/jobs/{job.id}"
    done = job.state == "succeeded"
    result = {key: value for key, value in (job.result or {}).items() if key != "artifact"}
    return JobBody(
        id=job.id,
        kind=job.kind,
        state=job.state,
        stage=job.stage,
        progress=job.progress,
        queue_position=await services.jobs.queue_position(job) if job.state == "queued" else None,
        attempt=job.attempt,
        params=job.params.get("options", {}),
        filename=job.params.get("filename"),
        result=result if done else None,
        artifacts={name: f"{base}/artifacts/{name}" for name in ARTIFACTS} if done else {},
        labels=job.labels,
        error=ProblemBody(**job.error) if job.error else None,
        correlation_id=job.correlation_id,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
    )


async def load_transcript(services: Services, job: Job) -> Transcript:
    """Read a job's transcript with the owner's names for the speakers.

    Raises:
        ApiError: 409 while there is none.
    """
    if job.state != "succeeded" or job.result is None:
        raise ApiError(409, "not_ready", f"The job has no result: it is {job.state}.", field="job_id")
    body = await asyncio.to_thread(services.objects.get, job.result["artifact"], limit=MAX_TRANSCRIPT_BYTES)
    transcript = await asyncio.to_thread(Transcript.model_validate_json, body)
    return transcript.renamed(job.labels)


def render(name: str, transcript: Transcript, job_id: UUID) -> str:
    """Render an artifact by its name, one of ``ARTIFACTS``."""
    match name:
        case "transcript.json":
            return transcript.model_dump_json()
        case "transcript.srt":
            return to_srt(transcript)
        case "transcript.vtt":
            return to_vtt(transcript)
        case "transcript.txt":
            return to_text(transcript)
        case _:
            # RTTM is separated by white space, so a name may have none.
            turns = [SpeakerTurn(t.start, t.end, "_".join(t.speaker.split())) for t in transcript.diarization]
            return write_rttm(turns, str(job_id))
