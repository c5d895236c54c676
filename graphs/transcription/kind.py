"""Transcription as a kind of job."""

from graphs.common.checks import check_hints, check_recognised
from graphs.common.job_kind import JSON, Artifact, CheckContext, JobKind, Options, WorkerContext, as_json
from graphs.transcription.form import TranscriptionOfObject, TranscriptionRequest
from graphs.transcription.formats import MEDIA_TYPES, to_srt, to_text, to_vtt
from graphs.transcription.graph import TranscriptionGraph
from graphs.transcription.job import ARTIFACT, TranscriptionJob
from graphs.transcription.transcript import Transcript
from models.diarization import SpeakerTurn
from models.diarization.rttm import write_rttm
from storage.jobs import Job


async def _check(context: CheckContext, options: Options) -> None:
    await check_recognised(context.roles.asr, options.get("language"), "language")
    await check_hints(context.roles.asr, options.get("hotwords"), options.get("prompt"))


def _handler(context: WorkerContext) -> TranscriptionJob:
    roles, config = context.roles, context.config
    graph = TranscriptionGraph(roles.asr, roles.diarization, roles.spoof, min_speech=config.spoof.min_speech_seconds)
    return TranscriptionJob(graph, context.objects, config.recordings, context.share)


def _rttm(transcript: Transcript, job: Job) -> str:
    # RTTM is separated by white space, so a name may have none.
    turns = [SpeakerTurn(t.start, t.end, "_".join(t.speaker.split())) for t in transcript.diarization]
    return write_rttm(turns, str(job.id))


TRANSCRIPTION: JobKind[Transcript] = JobKind(
    name="transcription",
    operation="create_transcription",
    summary="Transcribe a recording and tell who said what",
    description="""\
Accept a recording: 202 means that the job is committed and will be done.

Send the file as multipart/form-data, or, after ``POST /v1/uploads``, the object's key as JSON. A language that the
recogniser does not know is refused at once with those it knows; so are hotwords and a prompt that it does not take.""",
    form=TranscriptionRequest,
    body=TranscriptionOfObject,
    report=Transcript,
    artifacts={
        ARTIFACT: Artifact(JSON, as_json),
        "transcript.srt": Artifact(MEDIA_TYPES["srt"], lambda transcript, _job: to_srt(transcript)),
        "transcript.vtt": Artifact(MEDIA_TYPES["vtt"], lambda transcript, _job: to_vtt(transcript)),
        "transcript.txt": Artifact(MEDIA_TYPES["txt"], lambda transcript, _job: to_text(transcript)),
        "diarization.rttm": Artifact(MEDIA_TYPES["txt"], _rttm),
    },
    handler=_handler,
    check=_check,
    has_waveform=True,
    rename=Transcript.renamed,
)
