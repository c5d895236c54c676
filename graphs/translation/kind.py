"""Speech translation as a kind of job."""

from graphs.common.checks import check_recognised, if_roles_answer
from graphs.common.job_kind import (
    JSON,
    Artifact,
    CheckContext,
    JobKind,
    MediaArtifact,
    Options,
    WorkerContext,
    as_json,
)
from graphs.transcription.formats import MEDIA_TYPES, write_srt, write_text, write_vtt
from graphs.translation.form import SpeechTranslationOfObject, SpeechTranslationRequest
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.job import ARTIFACT, SpeechTranslationJob, audio_artifact
from graphs.translation.pairs import check_pair
from graphs.translation.report import SpeechTranslation
from graphs.translation.text import TranslationGraph
from graphs.translation.utterances import UTTERANCE_VAD
from models.vad import SileroVad


async def _check(context: CheckContext, options: Options) -> None:
    source, target = options.get("source"), options["target"]
    await check_recognised(context.roles.asr, source, "source")
    async with if_roles_answer("languages are not checked yet"):
        check_pair(await context.roles.translation.pairs(), source, target)
        if options.get("speak", True):
            await context.speakers.find(context.owner_id, options.get("voice"), target, language_field="target")


def _handler(context: WorkerContext) -> SpeechTranslationJob:
    roles = context.roles
    graph = SpeechTranslationGraph(
        roles.asr, TranslationGraph(roles.translation), roles.speech, SileroVad(UTTERANCE_VAD).speech
    )
    return SpeechTranslationJob(graph, context.objects, context.config.recordings, context.share, context.speakers)


def _audio(options: Options) -> MediaArtifact | None:
    name = audio_artifact(options)
    return None if name is None else MediaArtifact(name, "audio_object")


def _texts(side: str, translated: bool) -> dict[str, Artifact[SpeechTranslation]]:
    """Return the text and the subtitles of one of the two languages."""
    return {
        f"{side}.srt": Artifact(MEDIA_TYPES["srt"], lambda report, _job: write_srt(report.subtitles(translated))),
        f"{side}.vtt": Artifact(MEDIA_TYPES["vtt"], lambda report, _job: write_vtt(report.subtitles(translated))),
        f"{side}.txt": Artifact(MEDIA_TYPES["txt"], lambda report, _job: write_text(report.lines(translated))),
    }


TRANSLATION: JobKind[SpeechTranslation] = JobKind(
    name="translation",
    operation="create_translation",
    summary="Translate a recording into speech of another language",
    description="""\
Accept a recording, as for a transcription; the results are audio, and texts and subtitles in both languages.

The translated audio keeps the recording's time line. Languages and voices that the engines lack are refused at once
with what they have.""",
    form=SpeechTranslationRequest,
    body=SpeechTranslationOfObject,
    report=SpeechTranslation,
    artifacts={
        ARTIFACT: Artifact(JSON, as_json),
        **_texts("source", translated=False),
        **_texts("target", translated=True),
    },
    handler=_handler,
    check=_check,
    media=_audio,
    has_waveform=True,
)
