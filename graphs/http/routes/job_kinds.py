"""Routes that follow from the kinds of job: /v1/jobs/{kind} and /v1/jobs/{job_id}/artifacts."""

from dataclasses import replace
from typing import Any, Union

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from pydantic import BaseModel

from graphs.common.job_kind import CheckContext, JobKind, JobKinds, Options
from graphs.common.waveform import RecordingWaveform
from graphs.http.routes.jobs import OwnedJob
from graphs.http.routes.uploads import PRESIGNED_FOR
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import FormOrJsonBody, RecordingForm, with_recording
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.job_view import artifact, job_body, media_object
from graphs.http.server.schemas import JobBody
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.submission import (
    Submission,
    idempotency_key_of,
    received_recording,
    stored_recording,
    submit_job,
    without_recording,
)
from storage.users import User

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobBody, "description": "The job of an earlier request with this Idempotency-Key."}
}


def job_kinds_router(kinds: JobKinds) -> APIRouter:
    """Return the routes that submit jobs of these kinds and serve their results."""
    router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
    for kind in kinds.values():
        _add_submission(router, kind)
    _add_artifacts(router, kinds)
    return router


def _add_submission(router: APIRouter, kind: JobKind[Any]) -> None:
    body = Depends(FormOrJsonBody.of(with_recording(kind.form), kind.body))

    async def submit(request: Request, services: ServicesDependency, owner: Owner, sent: Any = body) -> JSONResponse:
        async def check(options: Options) -> None:
            await kind.check(_check_context(services, owner), options)

        once = idempotency_key_of(request)
        asked = await sent.receive(limit=services.config.recordings.max_bytes)
        submission = _submission(services, owner, kind, asked)
        job, created = await submit_job(
            services, owner, submission, correlation_id=correlation_id_of(request), idempotency_key=once, check=check
        )
        body = await job_body(services, job)
        return JSONResponse(
            body.model_dump(mode="json"),
            202 if created else 200,
            headers={"Location": f"/v1/jobs/{job.id}"},
        )

    router.add_api_route(
        f"/{kind.name}",
        submit,
        methods=["POST"],
        status_code=202,
        response_model=JobBody,
        responses=_ACCEPTED,
        name=kind.operation,
        summary=kind.summary,
        description=kind.description,
    )


def _submission(services: Services, owner: User, kind: JobKind[Any], asked: BaseModel) -> Submission:
    """Return the submission of a form, with its recording, or of a JSON body."""
    if isinstance(asked, RecordingForm):
        options = asked.model_dump(exclude={"file"}, exclude_defaults=True)
        submission = received_recording(kind.name, asked.file, options)
    else:
        wanted = kind.request(asked, services.config)
        if wanted.object_key is None:
            submission = without_recording(kind.name, wanted.options, expected_seconds=wanted.expected_seconds)
        else:
            submission = stored_recording(owner, kind.name, wanted.object_key, wanted.options)
    return replace(submission, max_seconds=kind.max_seconds(services.config))


def _check_context(services: Services, owner: User) -> CheckContext:
    return CheckContext(
        owner_id=owner.id,
        config=services.config,
        database=services.database,
        objects=services.objects,
        roles=services.roles,
        speakers=services.speakers,
    )


def _add_artifacts(router: APIRouter, kinds: JobKinds) -> None:
    reports = [*(kind.report for kind in kinds.values()), RecordingWaveform]

    @router.get(
        "/{job_id}/artifacts/{name}",
        responses={
            200: {"model": Union[tuple(reports)], "description": "The result in its JSON form."},  # noqa: UP007
            307: {"description": "Audio or a film, by a URL that works for a while."},
        },
        summary="A result, by one of the names that the job lists",
    )
    async def get_artifact(services: ServicesDependency, job: OwnedJob, name: str) -> Response:
        """Return a result by one of the names that the job lists; 409 while the job has none."""
        key = media_object(services, job, name)
        if key is not None:
            url = services.objects.presign_get(key, expires=PRESIGNED_FOR, filename=name)
            return RedirectResponse(url, 307)
        text, media_type = await artifact(services, job, name)
        return PlainTextResponse(text, media_type=media_type)
