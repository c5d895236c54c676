"""From a stored recording to an accepted job, the same for every route that takes recordings."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from graphs.http.correlation import correlation_id_of
from graphs.http.errors import ApiError
from graphs.http.services import Services
from graphs.recordings import audio_limits, owner_prefix, probe_recording
from graphs.transcription_job import KIND
from models.errors import InputError
from storage.jobs import IdempotencyConflict, Job, QueueFull
from storage.objects import ObjectTooLarge
from storage.users import User

MAX_IDEMPOTENCY_KEY = 200


@dataclass(frozen=True)
class Submission:
    """A recording in the object store and what shall be done with it."""

    key: str
    filename: str | None
    options: dict[str, Any]


def idempotency_key_of(request: Request) -> str | None:
    """Return the caller's Idempotency-Key, checked."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= MAX_IDEMPOTENCY_KEY and key.isprintable()):
        raise ApiError(
            422,
            "invalid_idempotency_key",
            f"The key must have 1 to {MAX_IDEMPOTENCY_KEY} printable characters.",
            field="Idempotency-Key",
        )
    return key


def check_owned_key(key: str, owner: User) -> None:
    """Answer 404 unless the key lies below the owner's uploads: another owner's might as well not exist."""
    if not key.startswith(owner_prefix(owner.id)):
        raise ApiError(404, "object_not_found", "There is no such object.", field="object_key")


async def submit_transcription(
    request: Request, services: Services, owner: User, submission: Submission
) -> tuple[Job, bool]:
    """Check the recording's header and commit the job.

    A recording that can't be used, or whose job is refused, is erased.

    Returns:
        The job, and whether it is new: the same Idempotency-Key and request return the first job again.

    Raises:
        InputError: The recording can't be used.
        QueueFull: Too many of the owner's jobs are waiting.
        IdempotencyConflict: The key was used for another request.
    """
    try:
        job, created = await _submit(request, services, owner, submission)
    except (ApiError, InputError, ObjectTooLarge, QueueFull, IdempotencyConflict):
        # Only after a refusal: after an outage the job may have been committed and need its recording.
        await asyncio.to_thread(services.objects.delete, submission.key)
        raise
    if job.input_key != submission.key:
        await asyncio.to_thread(services.objects.delete, submission.key)
    return job, created


async def _submit(request: Request, services: Services, owner: User, submission: Submission) -> tuple[Job, bool]:
    limits = services.config.jobs
    options = submission.options
    bounds = audio_limits(services.config.recordings, bool(options.get("allow_truncated", False)))
    size, info = await probe_recording(services.objects, submission.key, bounds)
    if size > services.config.recordings.max_bytes:
        # A presigned PUT to S3 can't carry a limit.
        raise ObjectTooLarge(submission.key, services.config.recordings.max_bytes)
    waiting = await services.jobs.queued()
    if waiting >= limits.max_queued:
        raise ApiError(503, "service_full", f"{waiting} jobs are waiting; try again later.", retry_after=60)
    longest = info.duration if info.duration is not None else services.config.recordings.max_seconds
    return await services.jobs.submit(
        owner_id=owner.id,
        kind=KIND,
        params={"options": options, "filename": submission.filename},
        fingerprint=json.dumps([KIND, size, options], sort_keys=True),
        input_key=submission.key,
        correlation_id=correlation_id_of(request),
        idempotency_key=idempotency_key_of(request),
        max_attempts=limits.max_attempts,
        time_limit=max(limits.min_time_limit_seconds, longest * limits.seconds_per_audio_second),
        cost=info.duration if info.duration is not None else 0.0,
        max_queued=limits.max_queued_per_owner,
    )
