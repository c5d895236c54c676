"""The avatar graph as a durable job: from a text or an object's key to a stored film and a report."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import structlog

from graphs.avatar.graph import AvatarGraph, FilmEvent, FilmProgress, FilmReport
from graphs.avatar.library import DEFAULT_AVATAR, AvatarLibrary, ReadyAvatar
from graphs.avatar.report import AvatarFilm
from graphs.avatar.speech import expected_seconds, film_limits, recorded, spoken
from graphs.common.config import RecordingLimits
from graphs.common.engines import MadeByEngines, engines_behind
from graphs.common.progress import result_of
from graphs.common.recordings import result_key
from graphs.common.roles import Role
from graphs.common.voices import Speaker, Speakers
from models.errors import InputError
from models.speech import SpeechChunk
from models.video.mark import FilmMark
from storage.avatars import AvatarNotFound
from storage.jobs import Attempt, Job, JobResult
from storage.objects import ObjectStore

ARTIFACT = "avatar.json"
FILM = "avatar.mp4"
DEFAULT_SPEED = 1.0

_PREPARED = 0.05
_FILMED = 0.97
_MIB = 1024 * 1024
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Said:
    """Speech of a film, and its source.

    Attributes:
        speaker: None where it is a recording.
        seconds: How long it takes, about; None where that is unknown.
    """

    speech: AsyncGenerator[SpeechChunk, None]
    speaker: Speaker | None
    seconds: float | None

    @property
    def field(self) -> str:
        return "text" if self.speaker is not None else "file"

    def mark(self, lipsync: str) -> FilmMark:
        """Return what their film says of its origin."""
        if self.speaker is None:
            return FilmMark(lipsync)
        return FilmMark(lipsync, self.speaker.voice.engine, self.speaker.name)


@dataclass(frozen=True)
class AvatarJob:
    """Runs one attempt at a film.

    Args:
        graph: The graph over its roles.
        objects: Where recordings, films and reports lie.
        limits: Bounds of a recording.
        speakers: Finds who speaks.
        library: The avatars.
    """

    graph: AvatarGraph
    objects: ObjectStore
    limits: RecordingLimits
    speakers: Speakers
    library: AvatarLibrary

    async def __call__(self, attempt: Attempt) -> JobResult:
        """Film and store; raises InputError for what can't be used."""
        job = attempt.job
        asked = job.params["options"]
        _log.info("avatar start", upload_id=str(job.id), attempt=attempt.fence)
        await attempt.progress("prepare", 0.0)
        began = time.monotonic()
        avatar = await self._avatar(job)
        said = await self._said(job)
        engine = await self.graph.lipsync.fingerprint()
        roles: dict[str, Role] = {"lipsync": self.graph.lipsync}
        if said.speaker is not None:
            roles["speech"] = self.speakers.speech
        made_by = await engines_behind(roles)
        label = bool(asked.get("label", False)) or self.graph.settings.label
        prepared = time.monotonic()
        await attempt.progress("film", _PREPARED)
        with TemporaryFile() as file:
            made = await self._film(attempt, avatar, said, said.mark(engine), label, file)
            filmed = time.monotonic()
            key = result_key(job.id, attempt.fence, FILM)
            size = await asyncio.to_thread(_store, file, self.objects, key)
        await attempt.event("film", {"name": FILM, "bytes": size})
        timings = {
            "prepare": round(prepared - began, 3),
            **made.timings,
            "store": round(time.monotonic() - filmed, 3),
        }
        report = _report(asked, avatar, said, made, engine, label, timings, made_by)
        report_key = result_key(job.id, attempt.fence, ARTIFACT)
        body = report.model_dump_json().encode()
        await asyncio.to_thread(self.objects.put, report_key, body, content_type="application/json")
        _log.info("avatar complete", upload_id=str(job.id), seconds=timings)
        return JobResult(result=_summary(report, report_key, key), timings=timings)

    async def _avatar(self, job: Job) -> ReadyAvatar:
        try:
            avatar = await self.library.find(job.owner_id, job.params["options"].get("avatar", DEFAULT_AVATAR))
            return await self.library.ready(avatar, job.correlation_id)
        except AvatarNotFound as error:
            raise InputError("avatar_gone", "The avatar was deleted.", field="avatar") from error

    async def _said(self, job: Job) -> _Said:
        asked = job.params["options"]
        if job.input_key is not None:
            truncated = bool(asked.get("allow_truncated", False))
            limits = film_limits(self.limits, self.graph.settings, allow_truncated=truncated)
            info, speech = await recorded(self.objects, job.input_key, limits)
            return _Said(speech, None, info.duration)
        text, speed = asked["text"], asked.get("speed", DEFAULT_SPEED)
        speaker = await self.speakers.find(job.owner_id, asked.get("voice"), asked.get("language"))
        speech = spoken(self.speakers.speech, text, speaker, speed=speed, correlation_id=job.correlation_id)
        return _Said(speech, speaker, expected_seconds(text, speed))

    async def _film(
        self, attempt: Attempt, avatar: ReadyAvatar, said: _Said, mark: FilmMark, label: bool, file: BinaryIO
    ) -> FilmReport:
        """Write the film into a file."""

        async def tell(event: FilmEvent) -> None:
            if isinstance(event, FilmProgress):
                # What is not known yet is twice what there is.
                share = event.seconds / (said.seconds if said.seconds is not None else 2 * event.seconds)
                await attempt.progress("film", round(_PREPARED + (_FILMED - _PREPARED) * min(1.0, share), 4))

        film = self.graph.film(
            avatar,
            said.speech,
            mark=mark,
            label=label,
            sink=file,
            field=said.field,
            correlation_id=attempt.job.correlation_id,
        )
        return await result_of(film, FilmReport, tell)


def _store(file: BinaryIO, objects: ObjectStore, key: str) -> int:
    """Put a film into the object store; return how many bytes it has."""
    file.seek(0)
    with objects.writer(key, content_type="video/mp4") as writer:
        while piece := file.read(_MIB):
            writer.write(piece)
        return writer.commit().size


def _report(
    asked: dict[str, Any],
    avatar: ReadyAvatar,
    said: _Said,
    made: FilmReport,
    engine: str,
    label: bool,
    timings: dict[str, float],
    made_by: MadeByEngines,
) -> AvatarFilm:
    speaker = said.speaker
    return AvatarFilm(
        avatar=asked.get("avatar", DEFAULT_AVATAR),
        faces=avatar.faces,
        width=avatar.width,
        height=avatar.height,
        seconds=made.seconds,
        frames=made.frames,
        images=made.images,
        shots=made.shots,
        sample_rate=made.sample_rate,
        lipsync_engine=engine,
        speech_engine=speaker.voice.engine if speaker is not None else None,
        voice=speaker.name if speaker is not None else None,
        language=speaker.language if speaker is not None else None,
        label=label,
        timings=timings,
        engines=made_by.engines,
        notices=made_by.notices,
    )


def _summary(report: AvatarFilm, artifact: str, film_object: str) -> dict[str, Any]:
    return {
        "artifact": artifact,
        "film_object": film_object,
        **report.model_dump(mode="json", exclude={"version"}),
        "speakers": [],
    }
