"""Spoof analysis as a kind of job."""

from graphs.common.job_kind import JSON, Artifact, JobKind, WorkerContext, as_json
from graphs.spoof.form import SpoofOfObject, SpoofRequest
from graphs.spoof.graph import SpoofGraph
from graphs.spoof.job import ARTIFACT, SpoofJob
from graphs.spoof.report import SpoofReport
from models.vad import SileroVad


def _handler(context: WorkerContext) -> SpoofJob:
    roles, config = context.roles, context.config
    graph = SpoofGraph(roles.spoof, roles.diarization, SileroVad().speech, min_speech=config.spoof.min_speech_seconds)
    return SpoofJob(graph, context.objects, config.recordings, context.share)


SPOOF: JobKind[SpoofReport] = JobKind(
    name="spoof",
    operation="create_spoof_analysis",
    summary="Tell whether a voice is real",
    description="""\
Accept a recording, as for a transcription; the result is ``spoof.json``.

It tells P(spoof), the probability that a machine made the voice, for every 4 s, a verdict on the recording and,
with ``diarize``, one on every speaker.""",
    form=SpoofRequest,
    body=SpoofOfObject,
    report=SpoofReport,
    artifacts={ARTIFACT: Artifact(JSON, as_json)},
    handler=_handler,
    has_waveform=True,
    rename=SpoofReport.renamed,
)
