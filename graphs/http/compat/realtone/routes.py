"""The routes of RealTone: uploads to be analysed, their status, and the history."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import PurePath
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from graphs.common.config import MEBIBYTE
from graphs.common.errors import ApiError
from graphs.common.recordings import erase_objects
from graphs.http.compat.realtone.scores import percent, scored_chunks
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormBody
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.files import StoredFile
from graphs.http.server.job_view import load_report
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.submission import idempotency_key_of, received_recording, submit_job
from graphs.spoof.kind import SPOOF
from graphs.spoof.report import SpoofReport
from storage.jobs import Job, JobNotFound
from storage.objects import ObjectNotFound
from storage.users import User

router = APIRouter(tags=["RealTone"])

MAX_UPLOAD_BYTES = 10 * MEBIBYTE
EXTENSIONS = (".wav", ".mp3", ".ogg", ".webm", ".flac")
HISTORY_ROWS = 200
_READS_AT_ONCE = 16

_STATUS = {
    "queued": "PENDING",
    "running": "PROCESSING",
    "succeeded": "COMPLETED",
    "cancelled": "ERROR_INTERNAL",
}
# Of a failed job; the codes of bad input are the analyser's own, ERROR_PYTHON_PROCESSING.
_FAILURE_STATUS = {
    "internal": "ERROR_INTERNAL",
    "internal_error": "ERROR_INTERNAL",
    "worker_lost": "ERROR_GRPC_CONNECTION",
    "recording_gone": "ERROR_MINIO_DOWNLOAD",
}


class UploadForm(BaseModel):
    """A recording to be analysed."""

    audiofile: StoredFile = Field(description=f"One of {', '.join(EXTENSIONS)}, at most 10 MB.")


class TaskBody(BaseModel):
    """An accepted upload."""

    task_id: UUID


class TaskStatusBody(BaseModel):
    """State of an analysis, and its scores."""

    task_id: UUID
    status: str = Field(description="PENDING, PROCESSING, COMPLETED, or ERROR_ and where it failed.")
    predictions: dict[str, float] | None = Field(
        default=None, description="P(spoof) by chunk of 4 s: chunk_0, chunk_1, ...; chunks without speech have none."
    )
    error_message: str | None = None


class HistoryBody(BaseModel):
    """A finished analysis."""

    id: UUID
    user_id: str
    filename: str
    file_size: str | None = None
    probability: int = Field(description="P(spoof) of the recording in percent.")
    s3_key: str
    analysis_details: dict[str, float] = Field(description="P(spoof) by chunk.")
    analysis_date: datetime


class MessageBody(BaseModel):
    """A sentence."""

    message: str


@router.get("/ping", summary="The ingress answers")
async def ping() -> MessageBody:
    """Return pong while this process serves requests."""
    return MessageBody(message="pong")


@router.post("/api/v1/audio/upload", status_code=202, summary="Upload a recording and tell whether its voice is real")
async def upload(request: Request, services: ServicesDependency, owner: Owner, form: FormBody[UploadForm]) -> TaskBody:
    """Take a recording of at most 10 MB and analyse it in the background."""
    once = idempotency_key_of(request)
    limit = min(MAX_UPLOAD_BYTES, services.config.recordings.max_bytes)
    try:
        file = (await form.receive(limit=limit)).audiofile
    except ApiError as error:
        if error.status != 413:
            raise
        sentence = f"File size limit exceeded. Max size: {limit / MEBIBYTE:g} MB"
        raise ApiError(413, error.code, sentence, field=error.field) from None
    submission = received_recording(SPOOF.name, file, {})
    if not file.filename.lower().endswith(EXTENSIONS):
        await submission.discard(services.objects)
        sentence = f"Unsupported file type. Allowed types: {', '.join(EXTENSIONS)}"
        raise ApiError(415, "unsupported_media", sentence, field="audiofile")
    job, _created = await submit_job(
        services, owner, submission, correlation_id=correlation_id_of(request), idempotency_key=once
    )
    return TaskBody(task_id=job.id)


async def _job(services: Services, owner: User, job_id: UUID) -> Job | None:
    try:
        job = await services.jobs.get(job_id, owner.id)
    except JobNotFound:
        return None
    return job if job.kind == SPOOF.name else None


@router.get(
    "/api/v1/audio/status/{task_id}",
    response_model_exclude_none=True,
    summary="How far an analysis is, and its scores",
)
async def status(services: ServicesDependency, owner: Owner, task_id: str) -> TaskStatusBody:
    """Return the state of an analysis, and its predictions once it is COMPLETED."""
    wanted = _uuid(task_id)
    job = await _job(services, owner, wanted) if wanted else None
    if job is None:
        raise ApiError(404, "job_not_found", "Task not found", field="task_id")
    if job.state == "succeeded":
        scores = _scores(await load_report(services, SPOOF, job))
        return TaskStatusBody(task_id=job.id, status="COMPLETED", predictions=scores)
    return TaskStatusBody(task_id=job.id, status=_task_status(job), error_message=_error_message(job))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _task_status(job: Job) -> str:
    if job.state != "failed":
        return _STATUS[job.state]
    return _FAILURE_STATUS.get((job.error or {}).get("code", "internal"), "ERROR_PYTHON_PROCESSING")


def _error_message(job: Job) -> str | None:
    if job.state == "cancelled":
        return "The analysis was cancelled."
    return job.error["message"] if job.error else None


@router.get("/api/v1/history", response_model_exclude_none=True, summary="Your finished analyses, newest first")
async def history(services: ServicesDependency, owner: Owner) -> list[HistoryBody]:
    """Return the newest finished analyses, 200 at most."""
    page = await services.jobs.list(owner.id, kind=SPOOF.name, state="succeeded", limit=HISTORY_ROWS)
    places = asyncio.Semaphore(_READS_AT_ONCE)

    async def row(job: Job) -> HistoryBody | None:
        async with places:
            return await _history_row(services, owner, job)

    rows = await asyncio.gather(*(row(job) for job in page.jobs))
    return [found for found in rows if found is not None]


def _scores(report: SpoofReport) -> dict[str, float]:
    return {chunk: p_spoof for chunk, p_spoof, _start, _end in scored_chunks(report)}


async def _history_row(services: Services, owner: User, job: Job) -> HistoryBody | None:
    assert job.input_key is not None
    assert job.finished_at is not None
    try:
        report = await load_report(services, SPOOF, job)
        size = (await asyncio.to_thread(services.objects.head, job.input_key)).size
    except ObjectNotFound:  # erased meanwhile
        return None
    return HistoryBody(
        id=job.id,
        user_id=str(owner.id),
        filename=job.params.get("filename") or PurePath(job.input_key).name,
        file_size=f"{size / 1024:.2f} KB",
        probability=percent(report),
        s3_key=job.input_key,
        analysis_details=_scores(report),
        analysis_date=job.finished_at,
    )


@router.delete("/api/v1/history/{entry_id}", summary="Erase an analysis with its recording")
async def delete_entry(services: ServicesDependency, owner: Owner, entry_id: str) -> MessageBody:
    """Erase one finished analysis, its recording and its scores."""
    wanted = _uuid(entry_id)
    if wanted is None:
        raise ApiError(400, "invalid_id", "Invalid history entry ID format", field="entry_id")
    job = await _job(services, owner, wanted)
    if job is None or job.state != "succeeded" or not await _erase(services, owner, job):
        raise ApiError(404, "job_not_found", "History entry not found", field="entry_id")
    return MessageBody(message="History entry deleted successfully")


@router.delete("/api/v1/history", summary="Erase all your finished analyses")
async def clear_history(services: ServicesDependency, owner: Owner) -> MessageBody:
    """Erase all finished analyses, their recordings and their scores."""
    async for job in _finished(services, owner):
        await _erase(services, owner, job)
    return MessageBody(message="History cleared successfully")


async def _finished(services: Services, owner: User) -> AsyncIterator[Job]:
    cursor: str | None = None
    while True:
        page = await services.jobs.list(owner.id, kind=SPOOF.name, state="succeeded", limit=HISTORY_ROWS, cursor=cursor)
        for job in page.jobs:
            yield job
        cursor = page.next_cursor
        if cursor is None:
            return


async def _erase(services: Services, owner: User, job: Job) -> bool:
    try:
        keys = await services.jobs.erase(job.id, owner.id)
    except JobNotFound:
        return False
    await asyncio.to_thread(erase_objects, services.objects, keys)
    return True
