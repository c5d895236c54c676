"""Jobs as their owners see them, and the results behind them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from graphs.avatar import job as avatar_job
from graphs.avatar.report import AvatarFilm
from graphs.common import waveform
from graphs.http.server.errors import ApiError
from graphs.http.server.schemas import JobBody, ProblemBody
from graphs.http.server.services import Services
from graphs.spoof import job as spoof_job
from graphs.spoof.report import SpoofReport
from graphs.transcription import job as transcription_job
from graphs.transcription.formats import to_srt, to_text, to_vtt, write_srt, write_text, write_vtt
from graphs.transcription.transcript import Transcript
from graphs.translation import job as speech_translation_job
from graphs.translation.report import SpeechTranslation
from models.diarization import SpeakerTurn
from models.diarization.rttm import write_rttm
from storage.jobs import Job

MAX_RESULT_BYTES = 256 * 1024 * 1024

_JSON = "application/json"
_SUBTITLES = {"srt": "application/x-subrip", "vtt": "text/vtt", "txt": "text/plain; charset=utf-8"}
_INTERNAL = frozenset({"artifact", "audio_object", "film_object", "waveform_object"})

ARTIFACTS: Mapping[str, Mapping[str, str]] = {
    transcription_job.KIND: {
        transcription_job.ARTIFACT: _JSON,
        **{f"transcript.{ending}": media_type for ending, media_type in _SUBTITLES.items()},
        "diarization.rttm": "text/plain; charset=utf-8",
    },
    spoof_job.KIND: {
        spoof_job.ARTIFACT: _JSON,
    },
    speech_translation_job.KIND: {
        speech_translation_job.ARTIFACT: _JSON,
        **{f"{side}.{ending}": kind for side in ("source", "target") for ending, kind in _SUBTITLES.items()},
    },
    avatar_job.KIND: {
        avatar_job.ARTIFACT: _JSON,
    },
}
"""Media types of the results that are text, by kind of job and name."""

_OUTLINED = frozenset({transcription_job.KIND, spoof_job.KIND, speech_translation_job.KIND})

ModelT = TypeVar("ModelT", bound=BaseModel)


async def job_body(services: Services, job: Job) -> JobBody:
    """Describe a job; where its objects lie stays inside."""
    base = f"/v1/jobs/{job.id}"
    done = job.state == "succeeded"
    result = {key: value for key, value in (job.result or {}).items() if key not in _INTERNAL}
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
        artifacts={name: f"{base}/artifacts/{name}" for name in _names(job)} if done else {},
        labels=job.labels,
        error=ProblemBody(**job.error) if job.error else None,
        correlation_id=job.correlation_id,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        expires_at=job.expires_at,
    )


def _names(job: Job) -> list[str]:
    names = list(ARTIFACTS[job.kind])
    if (media := _media(job)) is not None:
        names.append(media.name)
    if _waveform_object(job) is not None:
        names.append(waveform.ARTIFACT)
    return names


def _waveform_object(job: Job) -> str | None:
    """Return the key of the recording's waveform; jobs of earlier releases have none."""
    key: str | None = (job.result or {}).get("waveform_object")
    return key


@dataclass(frozen=True)
class _Media:
    """A result that is sound or a film, and what the job's result calls its key."""

    name: str
    key_field: str


def _media(job: Job) -> _Media | None:
    options: dict[str, Any] = job.params.get("options", {})
    match job.kind:
        case speech_translation_job.KIND:
            audio = speech_translation_job.audio_artifact(options)
            return _Media(audio, "audio_object") if audio is not None else None
        case avatar_job.KIND:
            return _Media(avatar_job.FILM, "film_object")
        case _:
            return None


def media_name(job: Job) -> str | None:
    """Return the name of a job's translated audio or film, None where there will be none."""
    media = _media(job)
    return media.name if media is not None else None


def media_object(job: Job, name: str) -> str | None:
    """Return the key of a job's translated audio or film, None for the name of anything else.

    Raises:
        ApiError: 409 while there is none.
    """
    media = _media(job)
    if media is None or name != media.name:
        return None
    key: str = _result(job)[media.key_field]
    return key


async def load_transcript(services: Services, job: Job) -> Transcript:
    """Read a transcription job's transcript with the owner's names for the speakers.

    Raises:
        ApiError: 409 while there is none.
    """
    return (await _load(services, job, Transcript)).renamed(job.labels)


async def load_report(services: Services, job: Job) -> SpoofReport:
    """Read a spoof job's report with the owner's names for the speakers.

    Raises:
        ApiError: 409 while there is none.
    """
    return (await _load(services, job, SpoofReport)).renamed(job.labels)


def _result(job: Job) -> dict[str, Any]:
    if job.state != "succeeded" or job.result is None:
        raise ApiError(409, "not_ready", f"The job has no result: it is {job.state}.", field="job_id")
    return job.result


async def _load(services: Services, job: Job, model: type[ModelT]) -> ModelT:
    key = _result(job)["artifact"]
    body = await asyncio.to_thread(services.objects.get, key, limit=MAX_RESULT_BYTES)
    return await asyncio.to_thread(model.model_validate_json, body)


async def artifact(services: Services, job: Job, name: str) -> tuple[str, str]:
    """Return a job's result by its name, and its media type.

    Raises:
        ApiError: 404 for a name that jobs of this kind don't have, 409 while there is no result.
    """
    names = ARTIFACTS[job.kind]
    if name == waveform.ARTIFACT and (outline := _waveform_object(job)) is not None:
        return (await asyncio.to_thread(services.objects.get, outline)).decode(), _JSON
    if name == waveform.ARTIFACT and job.kind in _OUTLINED:
        _result(job)
    if name not in names:
        raise ApiError(404, "artifact_not_found", f"Artifacts are {', '.join(_names(job))}.", field="name")
    if job.kind == spoof_job.KIND:
        text = (await load_report(services, job)).model_dump_json()
    elif job.kind == speech_translation_job.KIND:
        translation = await _load(services, job, SpeechTranslation)
        text = await asyncio.to_thread(_render_translation, name, translation)
    elif job.kind == avatar_job.KIND:
        text = (await _load(services, job, AvatarFilm)).model_dump_json()
    else:
        transcript = await load_transcript(services, job)
        text = await asyncio.to_thread(_render, name, transcript, job.id)
    return text, names[name]


def _render_translation(name: str, translation: SpeechTranslation) -> str:
    if name == speech_translation_job.ARTIFACT:
        return translation.model_dump_json()
    side, ending = name.split(".")
    match ending:
        case "srt":
            return write_srt(translation.subtitles(side == "target"))
        case "vtt":
            return write_vtt(translation.subtitles(side == "target"))
        case _:
            return write_text(translation.lines(side == "target"))


def _render(name: str, transcript: Transcript, job_id: UUID) -> str:
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
