"""The routes of proxyAI: upload, results, status and labels."""

import json
import re
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from graphs.common.errors import ApiError
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody, JsonBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import StoredFile
from graphs.http.server.job_view import load_report
from graphs.http.server.limits import per_minute
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.submission import idempotency_key_of, received_recording, submit_job
from graphs.transcription.kind import TRANSCRIPTION
from graphs.transcription.transcript import Transcript
from storage.jobs import Job, JobNotFound
from storage.users import User

router = APIRouter(tags=["proxyAI"])

UPLOAD_TYPES = frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/mp3"})
MAX_LABEL_LENGTH = 50

# Checked by hand: the sentences about what is wrong with them are proxyAI's.
Labels = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_LABEL_LENGTH},
        }
    ),
]


class UploadForm(BaseModel):
    """A recording to be transcribed."""

    model_config = ConfigDict(extra="forbid")

    file: StoredFile = Field(description="WAV or MP3.")


async def _upload(
    request: Request, services: ServicesDependency, owner: Owner, form: FormBody[UploadForm]
) -> dict[str, str]:
    """Take a recording (WAV or MP3) and transcribe it in the background."""
    once = idempotency_key_of(request)
    file = (await form.receive(limit=services.config.recordings.max_bytes)).file
    submission = received_recording(TRANSCRIPTION.name, file, {})
    if file.content_type not in UPLOAD_TYPES:
        await submission.discard(services.objects)
        sentence = f"Unsupported media type {file.content_type!r}: send audio/wav or audio/mpeg."
        raise ApiError(415, "unsupported_media", sentence, field="file")
    job, _created = await submit_job(
        services, owner, submission, correlation_id=correlation_id_of(request), idempotency_key=once
    )
    return {"upload_id": job.id.hex}


for _path in ("/upload/", "/transcribe"):
    router.add_api_route(
        _path,
        _upload,
        methods=["POST"],
        dependencies=[Depends(per_minute("upload"))],
        summary="Upload a recording and transcribe it",
        name=f"proxyai_{_path.strip('/')}",
    )


async def _job(services: Services, owner: User, upload_id: str) -> Job:
    try:
        job = await services.jobs.get(UUID(upload_id), owner.id)
    except (ValueError, JobNotFound):
        raise ApiError(404, "job_not_found", "upload_id not found", field="upload_id") from None
    if job.kind != TRANSCRIPTION.name:
        raise ApiError(404, "job_not_found", "upload_id not found", field="upload_id")
    return job


@router.get("/results/{upload_id}", dependencies=[Depends(per_minute("results"))], summary="The transcript")
async def results(services: ServicesDependency, owner: Owner, upload_id: str) -> dict[str, str]:
    """Return transcript and diarization as two JSON texts; 404 until they are there."""
    job = await _job(services, owner, upload_id)
    if job.state in ("failed", "cancelled"):
        why = (job.error or {}).get("message", "the job was cancelled")
        raise ApiError(404, "no_results", f"There are no results: {why}", field="upload_id")
    if job.state != "succeeded":
        raise ApiError(404, "not_ready", "Results not yet available", field="upload_id")
    transcript = await load_report(services, TRANSCRIPTION, job)
    return {
        "transcript": json.dumps(_transcript_rows(transcript), ensure_ascii=False),
        "diarization": json.dumps(_diarization_rows(transcript), ensure_ascii=False),
    }


def _transcript_rows(transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {
            "segment": number,
            "start": turn.start,
            "end": turn.end,
            "time": _clock(turn.start),
            "text": turn.text,
            "speaker": turn.speaker,
        }
        for number, turn in enumerate(transcript.turns)
    ]


def _diarization_rows(transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {"start": turn.start, "end": turn.end, "speaker": turn.speaker, "time": _clock(turn.start)}
        for turn in transcript.diarization
    ]


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


@router.get("/status/{upload_id}", summary="How far a transcription is")
async def status(services: ServicesDependency, owner: Owner, upload_id: str) -> dict[str, str]:
    """Return queued, processing, done or error, and the progress in percent."""
    job = await _job(services, owner, upload_id)
    state = {"queued": "queued", "running": "processing", "succeeded": "done"}.get(job.state, "error")
    answer = {"status": state, "progress": f"{round(100 * job.progress)}%"}
    if state == "error":
        answer["detail"] = (job.error or {}).get("message", "the job was cancelled")
    return answer


@router.post("/labels/{upload_id}", summary="Name the speakers")
async def labels(services: ServicesDependency, owner: Owner, upload_id: str, body: JsonBody[Labels]) -> JSONResponse:
    """Name speakers: a JSON object from the diarizer's names to new ones, 1 to 50 characters without < and >."""
    job = await _job(services, owner, upload_id)
    if job.state != "succeeded" or job.result is None:
        raise ApiError(404, "not_ready", "Results not yet available", field="upload_id")
    mapping = await body.read()
    if not isinstance(mapping, dict):
        raise ApiError(400, "invalid_labels", "The body must be a JSON object of names", field="body")
    unknown = [key for key in mapping if key not in job.result["speakers"]]
    if unknown:
        raise ApiError(400, "invalid_labels", f"Invalid speaker keys: {unknown}", field="body")
    for name in mapping.values():
        if not isinstance(name, str) or not 1 <= len(name) <= MAX_LABEL_LENGTH or re.search(r"[<>\x00-\x1f]", name):
            raise ApiError(
                400, "invalid_labels", f"A name must have 1-{MAX_LABEL_LENGTH} characters without < and >", field="body"
            )
    merged = {**job.labels, **mapping}
    await services.jobs.set_labels(job.id, owner.id, merged)
    return JSONResponse({"status": "labels saved", "labels": merged})
