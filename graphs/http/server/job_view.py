"""Jobs as their owners see them, and the results behind them."""

import asyncio
from typing import Any

from graphs.common import waveform
from graphs.common.errors import ApiError
from graphs.common.job_kind import JSON, JobKind, MediaArtifact, ReportT
from graphs.http.server.schemas import JobBody, ProblemBody
from graphs.http.server.services import Services
from storage.jobs import Job

MAX_RESULT_BYTES = 256 * 1024 * 1024


async def job_body(services: Services, job: Job) -> JobBody:
    """Describe a job without the keys of its objects; of a kind that this version lacks, without its results."""
    base = f"/v1/jobs/{job.id}"
    kind = services.kinds.get(job.kind)
    done = kind is not None and job.state == "succeeded"
    return JobBody(
        id=job.id,
        kind=job.kind,
        supported=kind is not None,
        state=job.state,
        stage=job.stage,
        progress=job.progress,
        queue_position=await services.jobs.queue_position(job) if job.state == "queued" else None,
        attempt=job.attempt,
        params=job.params.get("options", {}),
        filename=job.params.get("filename"),
        result=_public(job.result or {}) if done else None,
        artifacts={name: f"{base}/artifacts/{name}" for name in _names(kind, job)} if done else {},
        labels=job.labels,
        error=ProblemBody(**job.error) if job.error else None,
        correlation_id=job.correlation_id,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
    )


def _public(result: dict[str, Any]) -> dict[str, Any]:
    """Return a job's result without the keys of objects."""
    return {name: value for name, value in result.items() if name != "artifact" and not name.endswith("_object")}


def _names(kind: JobKind[Any] | None, job: Job) -> list[str]:
    if kind is None:
        return []
    names = list(kind.artifacts)
    if (media := _media(kind, job)) is not None:
        names.append(media.name)
    if _waveform_object(job) is not None:
        names.append(waveform.ARTIFACT)
    return names


def _waveform_object(job: Job) -> str | None:
    """Return the key of the recording's waveform; jobs of earlier releases have none."""
    key: str | None = (job.result or {}).get("waveform_object")
    return key


def _media(kind: JobKind[Any] | None, job: Job) -> MediaArtifact | None:
    return None if kind is None else kind.media(job.params.get("options", {}))


def media_name(services: Services, job: Job) -> str | None:
    """Return the name of the audio or film that a job makes, None where it makes none."""
    media = _media(services.kinds.get(job.kind), job)
    return media.name if media is not None else None


def media_object(services: Services, job: Job, name: str) -> str | None:
    """Return the key of a job's audio or film, None for any other name.

    Raises:
        ApiError: 409 while there is none.
    """
    media = _media(services.kinds.get(job.kind), job)
    if media is None or name != media.name:
        return None
    key: str = _result(job)[media.key_field]
    return key


def unsupported(kind: str) -> str:
    """Return the sentence that refuses what needs a version of the service that has this kind of job."""
    return f"This version of the service does not know jobs of the kind {kind!r}."


def _result(job: Job) -> dict[str, Any]:
    if job.state != "succeeded" or job.result is None:
        raise ApiError(409, "not_ready", f"The job has no result: it is {job.state}.", field="job_id")
    return job.result


async def load_report(services: Services, kind: JobKind[ReportT], job: Job) -> ReportT:
    """Read the report of a job of this kind, with the owner's names for the speakers.

    Raises:
        ApiError: 409 while there is none.
    """
    key = _result(job)["artifact"]
    body = await asyncio.to_thread(services.objects.get, key, limit=MAX_RESULT_BYTES)
    report = await asyncio.to_thread(kind.report.model_validate_json, body)
    return kind.rename(report, job.labels)


async def artifact(services: Services, job: Job, name: str) -> tuple[str, str]:
    """Return a job's result by its name, and its media type.

    Raises:
        ApiError: 404 for a name that jobs of this kind don't have, 409 while there is no result.
    """
    kind = services.kinds.get(job.kind)
    if kind is None:
        raise ApiError(404, "artifact_not_found", unsupported(job.kind), field="name")
    if name == waveform.ARTIFACT:
        if (outline := _waveform_object(job)) is not None:
            return (await asyncio.to_thread(services.objects.get, outline)).decode(), JSON
        if kind.has_waveform:
            _result(job)
    wanted = kind.artifacts.get(name)
    if wanted is None:
        raise ApiError(404, "artifact_not_found", f"Artifacts are {', '.join(_names(kind, job))}.", field="name")
    report = await load_report(services, kind, job)
    return await asyncio.to_thread(wanted.render, report, job), wanted.media_type
