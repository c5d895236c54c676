"""The project's own routes for jobs: /v1/jobs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from graphs.avatar import job as avatar_job
from graphs.avatar.form import AvatarFilmOfObjectOrText, AvatarFilmRequest
from graphs.avatar.library import DEFAULT_AVATAR
from graphs.avatar.report import AvatarFilm
from graphs.avatar.speech import check_text, expected_seconds
from graphs.common.recordings import erase_objects
from graphs.common.roles import RoleUnavailable
from graphs.common.voices import DEFAULT_VOICE
from graphs.common.waveform import RecordingWaveform
from graphs.http.routes.uploads import PRESIGNED_FOR
from graphs.http.server.auth import Owner
from graphs.http.server.bodies import form_with_file, read_json, validated
from graphs.http.server.correlation import correlation_id_of
from graphs.http.server.errors import ApiError
from graphs.http.server.job_view import artifact, job_body, media_object
from graphs.http.server.multipart import ReceivedFile
from graphs.http.server.schemas import JobBody, JobPageBody, LabelsBody
from graphs.http.server.services import Services, ServicesDependency
from graphs.http.server.submission import (
    Check,
    Submission,
    idempotency_key_of,
    receive_recording,
    refuse_when_full,
    stored_recording,
    submit_job,
    without_recording,
)
from graphs.spoof import job as spoof_job
from graphs.spoof.form import SpoofOfObject, SpoofRequest
from graphs.spoof.report import SpoofReport
from graphs.transcription import job as transcription_job
from graphs.transcription.form import TranscriptionOfObject, TranscriptionRequest
from graphs.transcription.transcript import Transcript
from graphs.translation import job as speech_translation_job
from graphs.translation.form import SpeechTranslationOfObject, SpeechTranslationRequest
from graphs.translation.pairs import check_pair
from graphs.translation.report import SpeechTranslation
from models.asr import require_language
from storage.jobs import RETRYABLE, Job, NotRetryable
from storage.objects import ObjectNotFound
from storage.users import User

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

MAX_QUERY = 200
_CHECK_S = 5.0
_log = structlog.get_logger()

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": JobBody, "description": "The job of an earlier request with this Idempotency-Key."}
}


@router.post(
    "/transcription",
    status_code=202,
    response_model=JobBody,
    responses=_ACCEPTED,
    openapi_extra=form_with_file(
        TranscriptionRequest.model_json_schema()["properties"],
        json_schema=TranscriptionOfObject.model_json_schema(),
    ),
    summary="Transcribe a recording and tell who said what",
)
async def create_transcription(request: Request, services: ServicesDependency, owner: Owner) -> JSONResponse:
    """Accept a recording: 202 means that the job is committed and will be done.

    Send the file as multipart/form-data, or, after ``POST /v1/uploads``, the object's key as JSON. A language that the
    recogniser does not know is refused at once with those it knows.
    """

    async def check(options: dict[str, Any]) -> None:
        await _check_recognised(services, options.get("language"), "language")

    return await _create(
        request, services, owner, transcription_job.KIND, TranscriptionRequest, TranscriptionOfObject, check
    )


@router.post(
    "/spoof",
    status_code=202,
    response_model=JobBody,
    responses=_ACCEPTED,
    openapi_extra=form_with_file(
        SpoofRequest.model_json_schema()["properties"],
        json_schema=SpoofOfObject.model_json_schema(),
    ),
    summary="Tell whether a voice is real",
)
async def create_spoof_analysis(request: Request, services: ServicesDependency, owner: Owner) -> JSONResponse:
    """Accept a recording, as for a transcription; the result is ``spoof.json``.

    It tells P(spoof), the probability that a machine made the voice, for every 4 s, a verdict on the recording and,
    with ``diarize``, one on every speaker.
    """
    return await _create(request, services, owner, spoof_job.KIND, SpoofRequest, SpoofOfObject)


@router.post(
    "/translation",
    status_code=202,
    response_model=JobBody,
    responses=_ACCEPTED,
    openapi_extra=form_with_file(
        SpeechTranslationRequest.model_json_schema()["properties"],
        json_schema=SpeechTranslationOfObject.model_json_schema(),
    ),
    summary="Translate a recording into speech of another language",
)
async def create_translation(request: Request, services: ServicesDependency, owner: Owner) -> JSONResponse:
    """Accept a recording, as for a transcription; the results are audio, and texts and subtitles in both languages.

    The translated audio keeps the recording's time line. Languages and voices that the engines lack are refused at once
    with what they have.
    """

    async def check(options: dict[str, Any]) -> None:
        await _check_recognised(services, options.get("source"), "source")
        async with _if_roles_answer("languages are not checked yet"):
            check_pair(await services.roles.translation.pairs(), options.get("source"), options["target"])
            if options.get("speak", True):
                await services.speakers.find(owner.id, options.get("voice"), options["target"], language_field="target")

    return await _create(
        request,
        services,
        owner,
        speech_translation_job.KIND,
        SpeechTranslationRequest,
        SpeechTranslationOfObject,
        check,
    )


@router.post(
    "/avatar",
    status_code=202,
    response_model=JobBody,
    responses=_ACCEPTED,
    openapi_extra=form_with_file(
        AvatarFilmRequest.model_json_schema()["properties"],
        json_schema=AvatarFilmOfObjectOrText.model_json_schema(),
    ),
    summary="Film an avatar that says a text or a recording",
)
async def create_avatar_film(request: Request, services: ServicesDependency, owner: Owner) -> JSONResponse:
    """Accept a text as JSON, or a recording as for a transcription; the results are ``avatar.mp4`` and a report.

    Avatars, languages and voices that there aren't are refused at once. A film that is watched while it is made comes
    from ``POST /v1/avatars/{id}/speak``.
    """
    once = idempotency_key_of(request)
    if request.headers.get("content-type", "").startswith("application/json"):
        asked = validated(AvatarFilmOfObjectOrText, await read_json(request))
        submission = _film_submission(services, owner, asked)
    else:

        def options_of(_file: ReceivedFile, fields: dict[str, str]) -> dict[str, Any]:
            return validated(AvatarFilmRequest, fields).model_dump(exclude_defaults=True)

        submission = await receive_recording(request, services, owner, avatar_job.KIND, options_of)
    submission = replace(submission, max_seconds=services.config.video.max_seconds)

    async def check(options: dict[str, Any]) -> None:
        async with _if_roles_answer("a film is not checked yet"):
            await services.avatars.find(owner.id, options.get("avatar", DEFAULT_AVATAR))
            if "text" in options:
                await services.speakers.find(owner.id, options.get("voice"), options.get("language"))

    return await _submit(request, services, owner, submission, once, check)


async def _check_recognised(services: Services, language: str | None, field: str) -> None:
    if language is not None:
        async with _if_roles_answer("a language is not checked yet"):
            require_language(await services.roles.asr.languages(), language, field=field)


@asynccontextmanager
async def _if_roles_answer(else_say: str) -> AsyncIterator[None]:
    """Check what a job asks for; of roles that don't answer now, the job waits for them and asks them the same."""
    try:
        async with asyncio.timeout(_CHECK_S):
            yield
    except (RoleUnavailable, TimeoutError) as error:
        _log.warning(else_say, reason=repr(error))


def _film_submission(services: Services, owner: User, asked: AvatarFilmOfObjectOrText) -> Submission:
    options = asked.model_dump(exclude={"object_key"}, exclude_defaults=True)
    if asked.text is None:
        assert asked.object_key is not None, "one of both is there"
        return stored_recording(owner, avatar_job.KIND, asked.object_key, options)
    config = services.config
    check_text(asked.text, asked.speed, max_chars=config.texts.max_speech_chars, settings=config.video)
    if asked.voice in (None, DEFAULT_VOICE) and asked.language is None:
        options["language"] = config.assistant.language
    return without_recording(avatar_job.KIND, options, expected_seconds=expected_seconds(asked.text, asked.speed))


async def _create(
    request: Request,
    services: Services,
    owner: User,
    kind: str,
    form: type[BaseModel],
    of_object: type[TranscriptionOfObject] | type[SpoofOfObject] | type[SpeechTranslationOfObject],
    check: Check | None = None,
) -> JSONResponse:
    once = idempotency_key_of(request)
    if request.headers.get("content-type", "").startswith("application/json"):
        named = validated(of_object, await read_json(request))
        options = named.model_dump(exclude={"object_key"}, exclude_defaults=True)
        submission = stored_recording(owner, kind, named.object_key, options)
    else:

        def options_of(_file: ReceivedFile, fields: dict[str, str]) -> dict[str, Any]:
            return validated(form, fields).model_dump(exclude_defaults=True)

        submission = await receive_recording(request, services, owner, kind, options_of)
    return await _submit(request, services, owner, submission, once, check)


async def _submit(
    request: Request,
    services: Services,
    owner: User,
    submission: Submission,
    once: str | None,
    check: Check | None,
) -> JSONResponse:
    job, created = await submit_job(
        services, owner, submission, correlation_id=correlation_id_of(request), idempotency_key=once, check=check
    )
    body = await job_body(services, job)
    return JSONResponse(
        body.model_dump(mode="json"),
        202 if created else 200,
        headers={"Location": f"/v1/jobs/{job.id}"},
    )


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


@router.get(
    "/{job_id}/artifacts/{name}",
    responses={
        200: {
            "model": Transcript | SpoofReport | SpeechTranslation | AvatarFilm | RecordingWaveform,
            "description": "The result in its JSON form.",
        },
        307: {"description": "Translated audio or a film, by a URL that works for a while."},
    },
    summary="A result: a transcript, a translation or subtitles, a report, translated audio, a film, a waveform",
)
async def get_artifact(services: ServicesDependency, job: OwnedJob, name: str) -> Response:
    """Return a result by one of the names that the job lists; 409 while the job has none."""
    key = media_object(job, name)
    if key is not None:
        url = services.objects.presign_get(key, expires=PRESIGNED_FOR, filename=name)
        return RedirectResponse(url, 307)
    text, media_type = await artifact(services, job, name)
    return PlainTextResponse(text, media_type=media_type)


@router.get("/{job_id}/recording", status_code=307, summary="The recording, by a URL that works for a while")
async def get_recording(services: ServicesDependency, job: OwnedJob) -> RedirectResponse:
    """Redirect to a presigned URL of the recording."""
    if job.input_key is None:
        raise ApiError(404, "no_recording", "The job has no recording: it was given a text.", field="job_id")
    await asyncio.to_thread(services.objects.head, job.input_key)
    url = services.objects.presign_get(job.input_key, expires=PRESIGNED_FOR, filename=job.params.get("filename"))
    return RedirectResponse(url, 307)


@router.put("/{job_id}/labels", summary="Give speakers names")
async def put_labels(services: ServicesDependency, owner: Owner, job: OwnedJob, body: LabelsBody) -> JobBody:
    """Replace the names of the speakers; every artifact shows them from then on."""
    if job.state != "succeeded" or job.result is None:
        raise ApiError(409, "not_ready", f"The job has no speakers yet: it is {job.state}.", field="job_id")
    known = job.result["speakers"]
    unknown = sorted(set(body.labels) - set(known))
    if unknown:
        raise ApiError(
            422,
            "unknown_speaker",
            f"No such speakers: {', '.join(unknown)}; there are {', '.join(known) or 'none'}.",
            field="labels",
        )
    return await job_body(services, await services.jobs.set_labels(job.id, owner.id, dict(body.labels)))


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
