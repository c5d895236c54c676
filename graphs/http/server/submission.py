"""From a stored recording to an accepted job, the same for every route and every kind of job.

``received_recording`` (the file of a form) or ``stored_recording`` (a key of ``POST /v1/uploads``) makes a
``Submission``, as does ``without_recording``; ``submit_job`` turns it into a job of the kind it names, and knows
nothing of HTTP.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request

from graphs.common.errors import ApiError
from graphs.common.recordings import audio_limits, owner_prefix, probe_recording
from graphs.http.server.files import StoredFile
from graphs.http.server.services import Services
from models.errors import InputError
from storage.avatars import AvatarNotFound
from storage.jobs import IdempotencyConflict, Job, QueueFull
from storage.objects import ObjectStore, ObjectTooLarge
from storage.users import User

MAX_IDEMPOTENCY_KEY = 200

Check = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Submission:
    """A recording in the object store and what shall be done with it, or what shall be done without one.

    Attributes:
        kind: Name of the kind of job.
        key: Where the recording lies; None for a job that needs none.
        filename: What its owner calls it.
        options: What was asked for, without what was left at its default.
        uploaded_now: Whether this very request stored it, so that nothing else can need it if the job is refused.
        max_seconds: Longest recording, where the job takes less than the service.
        expected_seconds: Length of what is made, about, where there is no recording to tell.
    """

    kind: str
    key: str | None
    filename: str | None
    options: dict[str, Any]
    uploaded_now: bool
    max_seconds: float | None = None
    expected_seconds: float = 0.0

    async def discard(self, objects: ObjectStore) -> None:
        """Erase the recording if it was stored for this submission alone."""
        if self.uploaded_now and self.key is not None:
            await asyncio.to_thread(objects.delete, self.key)


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


def stored_recording(owner: User, kind: str, key: str, options: dict[str, Any]) -> Submission:
    """Return the submission of a recording that lies in the object store already.

    Raises:
        ApiError: 404 unless the key lies below the owner's uploads: another owner's might as well not exist.
    """
    if not key.startswith(owner_prefix(owner.id)):
        raise ApiError(404, "object_not_found", "There is no such object.", field="object_key")
    return Submission(kind, key, None, options, uploaded_now=False)


def received_recording(kind: str, file: StoredFile, options: dict[str, Any]) -> Submission:
    """Return the submission of a recording that this very request has brought."""
    return Submission(kind, file.info.key, file.filename or None, options, uploaded_now=True)


def without_recording(kind: str, options: dict[str, Any], *, expected_seconds: float) -> Submission:
    """Return the submission of a job that needs no recording.

    Args:
        kind: Kind of the job.
        options: What was asked for.
        expected_seconds: Length of what is made, about.
    """
    return Submission(kind, None, None, options, uploaded_now=False, expected_seconds=expected_seconds)


async def submit_job(
    services: Services,
    owner: User,
    submission: Submission,
    *,
    correlation_id: str,
    idempotency_key: str | None = None,
    check: Check | None = None,
) -> tuple[Job, bool]:
    """Check the options and the recording's header, and commit the job.

    A recording that was uploaded for it is erased when it can't be used or its job is refused. One that was there
    before stays: another job may need it, and its owner may ask again.

    Args:
        services: The stores and their limits.
        owner: Whose job it is.
        submission: The recording and what shall be done with it.
        correlation_id: Ties the job to the request.
        idempotency_key: The caller's name for the submission.
        check: Refuses options that can't be met, with InputError or AvatarNotFound.

    Returns:
        The job, and whether it is new: the same idempotency key and submission return the first job again.

    Raises:
        InputError: The recording can't be used, or what is asked can't be done.
        AvatarNotFound: Of the check.
        QueueFull: Too many of the owner's jobs are waiting.
        IdempotencyConflict: The key was used for another submission.
    """
    try:
        if check is not None:
            await check(submission.options)
        job, created = await _submit(services, owner, submission, correlation_id, idempotency_key)
    except (ApiError, InputError, AvatarNotFound, ObjectTooLarge, QueueFull, IdempotencyConflict):
        # Only after a refusal: after an outage the job may have been committed and need its recording.
        await submission.discard(services.objects)
        raise
    if job.input_key != submission.key:
        await submission.discard(services.objects)
    return job, created


async def _submit(
    services: Services, owner: User, submission: Submission, correlation_id: str, idempotency_key: str | None
) -> tuple[Job, bool]:
    limits = services.config.jobs
    kind, options = submission.kind, submission.options
    extent = await _extent(services, submission)
    await refuse_when_full(services)
    return await services.jobs.submit(
        owner_id=owner.id,
        kind=kind,
        params={"options": options, "filename": submission.filename},
        fingerprint=json.dumps([kind, extent.size, options], sort_keys=True),
        input_key=submission.key,
        correlation_id=correlation_id,
        idempotency_key=idempotency_key,
        max_attempts=limits.max_attempts,
        time_limit=max(limits.min_time_limit_seconds, extent.longest * limits.seconds_per_audio_second),
        cost=extent.cost,
        max_queued=limits.max_queued_per_owner,
    )


async def refuse_when_full(services: Services) -> None:
    """Raise ApiError 503 while as many jobs of all owners wait as may."""
    waiting = await services.jobs.queued()
    if waiting >= services.config.jobs.max_queued:
        raise ApiError(503, "service_full", f"{waiting} jobs are waiting; try again later.", retry_after=60)


@dataclass(frozen=True)
class _Extent:
    """Size of a job.

    Attributes:
        size: Bytes of its recording; 0 without one.
        cost: Seconds of sound, for judging the backlog; 0 where that is unknown.
        longest: What bounds that.
    """

    size: int
    cost: float
    longest: float


async def _extent(services: Services, submission: Submission) -> _Extent:
    """Look at a submission's recording.

    Raises:
        InputError: It can't be used.
        ObjectTooLarge: It has too many bytes.
    """
    if submission.key is None:
        return _Extent(0, submission.expected_seconds, submission.expected_seconds)
    limits = services.config.recordings
    bounds = audio_limits(limits, bool(submission.options.get("allow_truncated", False)))
    if submission.max_seconds is not None:
        bounds = replace(bounds, max_seconds=min(bounds.max_seconds, submission.max_seconds))
    size, info = await probe_recording(services.objects, submission.key, bounds)
    if size > limits.max_bytes:
        # A presigned PUT to S3 can't carry a limit.
        raise ObjectTooLarge(submission.key, limits.max_bytes)
    if info.duration is None:
        return _Extent(size, 0.0, bounds.max_seconds)
    return _Extent(size, info.duration, info.duration)
