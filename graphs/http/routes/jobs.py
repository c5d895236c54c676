"""The project's own routes for jobs: /v1/jobs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from graphs.common.errors import ApiError
from graphs.common.recordings import erase_objects
from graphs.http.routes.uploads import PRESIGNED_FOR
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import JsonBody
from graphs.http.server.job_view import job_body, unsupported
from graphs.http.server.schemas import JobBody, JobPageBody, LabelsBody
from graphs.http.server.services import ServicesDependency
from graphs.http.server.submission import (
    refuse_when_full,
)
from storage.jobs import RETRYABLE, Job, NotRetryable
from storage.objects import ObjectNotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_QUERY = 200


@router.get("", summary="List your jobs, newest first")
async def list_jobs(
    services: ServicesDependency,
    owner: Owner,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    state: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
    query: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_QUERY,
            pattern=r"^[^\x00]*$",
            description="Only jobs with this text in the file's name or in their options, whatever its case.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> JobPageBody:
    """Return a page of jobs; ``next_cursor`` leads to the page after it."""
    try:
        page = await services.jobs.list(owner.id, kind=kind, state=state, text=query, limit=limit, cursor=cursor)
    except ValueError as error:
        raise ApiError(
            422, "invalid_cursor", "The cursor is not one that this service gave.", field="cursor"
        ) from error
    return JobPageBody(jobs=[await job_body(services, job) for job in page.jobs], next_cursor=page.next_cursor)


async def owned_job(job_id: UUID, services: ServicesDependency, owner: Owner) -> Job:
    """Return the owner's job; another owner's might as well not exist."""
    return await services.jobs.get(job_id, owner.id)


OwnedJob = Annotated[Job, Depends(owned_job)]


@router.get("/{job_id}", summary="A job's state and result")
async def get_job(services: ServicesDependency, job: OwnedJob) -> JobBody:
    """Return the job."""
    return await job_body(services, job)


@router.delete(
    "/{job_id}",
    response_model=JobBody,
    responses={204: {"description": "It had ended, and was erased with its recording and results."}},
    summary="Cancel a job, or erase one that has ended",
)
async def delete_job(services: ServicesDependency, owner: Owner, job: OwnedJob) -> Response:
    """Cancel a waiting or running job (200), or erase an ended one with all its data (204)."""
    if job.state in ("queued", "running"):
        cancelled = await services.jobs.cancel(job.id, owner.id)
        return JSONResponse((await job_body(services, cancelled)).model_dump(mode="json"))
    await asyncio.to_thread(erase_objects, services.objects, await services.jobs.erase(job.id, owner.id))
    return Response(status_code=204)


@router.post("/{job_id}/cancel", summary="Cancel a job that has not ended")
async def cancel_job(services: ServicesDependency, owner: Owner, job: OwnedJob) -> JobBody:
    """Cancel a waiting or running job. One that has ended stays as it is, whatever it ended as: ``state`` tells."""
    return await job_body(services, await services.jobs.cancel(job.id, owner.id))


@router.post("/{job_id}/retry", status_code=202, summary="Have a failed or cancelled job tried again")
async def retry_job(services: ServicesDependency, owner: Owner, job: OwnedJob) -> JobBody:
    """Queue the job again, with its recording and options; its attempts are counted anew and its history goes on."""
    if job.kind not in services.kinds:
        raise ApiError(409, "unsupported_kind", unsupported(job.kind), field="job_id")
    if job.state not in RETRYABLE:
        raise NotRetryable(job.state)
    if job.input_key is not None:
        try:
            await asyncio.to_thread(services.objects.head, job.input_key)
        except ObjectNotFound as error:
            raise ApiError(
                410, "recording_gone", "The job's recording is gone; send it anew.", field="job_id"
            ) from error
    await refuse_when_full(services)
    most = services.config.jobs.max_queued_per_owner
    return await job_body(services, await services.jobs.retry(job.id, owner.id, max_queued=most))


@router.get("/{job_id}/recording", status_code=307, summary="The recording, by a URL that works for a while")
async def get_recording(services: ServicesDependency, job: OwnedJob) -> RedirectResponse:
    """Redirect to a presigned URL of the recording."""
    if job.input_key is None:
        raise ApiError(404, "no_recording", "The job has no recording: it was given a text.", field="job_id")
    await asyncio.to_thread(services.objects.head, job.input_key)
    url = services.objects.presign_get(job.input_key, expires=PRESIGNED_FOR, filename=job.params.get("filename"))
    return RedirectResponse(url, 307)


@router.put("/{job_id}/labels", summary="Give speakers names")
async def put_labels(services: ServicesDependency, owner: Owner, job: OwnedJob, body: JsonBody[LabelsBody]) -> JobBody:
    """Replace the names of the speakers; every artifact shows them from then on."""
    labels = (await body.read()).labels
    if job.state != "succeeded" or job.result is None:
        raise ApiError(409, "not_ready", f"The job has no speakers yet: it is {job.state}.", field="job_id")
    known = job.result.get("speakers", [])
    unknown = sorted(set(labels) - set(known))
    if unknown:
        raise ApiError(
            422,
            "unknown_speaker",
            f"No such speakers: {', '.join(unknown)}; there are {', '.join(known) or 'none'}.",
            field="labels",
        )
    return await job_body(services, await services.jobs.set_labels(job.id, owner.id, dict(labels)))


async def event_stream_place(services: ServicesDependency, owner: Owner) -> AsyncIterator[None]:
    """Hold one of the owner's places for open event streams, or answer 429."""
    most = services.config.max_event_streams_per_owner
    if services.event_streams[owner.id] >= most:
        raise ApiError(429, "too_many_streams", f"You have {most} event streams open.", retry_after=5)
    services.event_streams[owner.id] += 1
    try:
        yield
    finally:
        services.event_streams[owner.id] -= 1


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(event_stream_place)],
    summary="What happens to a job, as it happens",
)
async def job_events(
    services: ServicesDependency,
    owner: Owner,
    job: OwnedJob,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream the job's events from its beginning, or from after ``Last-Event-ID``, until it has ended."""
    async for event in services.jobs.follow(job.id, owner.id, after=last_event_id or 0):
        yield ServerSentEvent(id=str(event.id), event=event.type, data={**event.data, "at": event.at.isoformat()})
