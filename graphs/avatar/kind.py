"""The avatar film as a kind of job."""

from pydantic import BaseModel

from graphs.avatar.form import AvatarFilmOfObjectOrText, AvatarFilmRequest
from graphs.avatar.graph import AvatarGraph
from graphs.avatar.job import ARTIFACT, FILM, AvatarJob
from graphs.avatar.library import DEFAULT_AVATAR, AvatarLibrary, stored_avatar
from graphs.avatar.report import AvatarFilm
from graphs.avatar.speech import check_text, expected_seconds
from graphs.common.checks import if_roles_answer
from graphs.common.config import ApiConfig
from graphs.common.job_kind import (
    JSON,
    Artifact,
    CheckContext,
    JobKind,
    JobRequest,
    MediaArtifact,
    Options,
    WorkerContext,
    as_json,
)
from graphs.common.voices import DEFAULT_VOICE
from storage.avatars import Avatars


def _request(body: BaseModel, config: ApiConfig) -> JobRequest:
    assert isinstance(body, AvatarFilmOfObjectOrText)
    options = body.model_dump(exclude={"object_key"}, exclude_defaults=True)
    if body.text is None:
        return JobRequest(options, body.object_key)
    check_text(body.text, body.speed, max_chars=config.texts.max_speech_chars, settings=config.video)
    if body.voice in (None, DEFAULT_VOICE) and body.language is None:
        options["language"] = config.assistant.language
    return JobRequest(options, None, expected_seconds(body.text, body.speed))


async def _check(context: CheckContext, options: Options) -> None:
    avatar = options.get("avatar", DEFAULT_AVATAR)
    if avatar != DEFAULT_AVATAR:
        await stored_avatar(Avatars(context.database), context.owner_id, avatar)
    if "text" in options:
        async with if_roles_answer("a voice is not checked yet"):
            await context.speakers.find(context.owner_id, options.get("voice"), options.get("language"))


def _handler(context: WorkerContext) -> AvatarJob:
    config, lipsync = context.config, context.roles.lipsync
    library = AvatarLibrary(Avatars(context.database), context.objects, lipsync, config.avatars, context.put)
    graph = AvatarGraph(lipsync, config.video)
    return AvatarJob(graph, context.objects, config.recordings, context.speakers, library)


AVATAR: JobKind[AvatarFilm] = JobKind(
    name="avatar",
    operation="create_avatar_film",
    summary="Film an avatar that says a text or a recording",
    description="""\
Accept a text as JSON, or a recording as for a transcription; the results are ``avatar.mp4`` and a report.

Avatars, languages and voices that there aren't are refused at once. A film that is watched while it is made comes
from ``POST /v1/avatars/{id}/speak``.""",
    form=AvatarFilmRequest,
    body=AvatarFilmOfObjectOrText,
    report=AvatarFilm,
    artifacts={ARTIFACT: Artifact(JSON, as_json)},
    handler=_handler,
    request=_request,
    check=_check,
    media=lambda _options: MediaArtifact(FILM, "film_object"),
    max_seconds=lambda config: config.video.max_seconds,
)
