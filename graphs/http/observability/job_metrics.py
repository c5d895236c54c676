"""The job queue's metrics, read from Postgres: right whichever replica answers, and kept over restarts."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric

from graphs.transcription.kind import TRANSCRIPTION
from storage.jobs import JobStatistics, JobStore, Total

# proxyAI named its tasks and stages after the tools it ran; the same work goes by those names here.
_TASKS = {"diarization": "tasks.diarize_full", "asr": "tasks.transcribe_segments"}
_SUMMARIES = {"diarization": "vad_segmentation_seconds", "asr": "whisper_transcription_seconds"}


async def render_job_metrics(jobs: JobStore) -> str:
    """Return the queue's metrics in Prometheus's text format."""
    statistics = await jobs.statistics()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_families(statistics))))
    return generate_latest(registry).decode()


class _Collected:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _families(statistics: JobStatistics) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("voicegraph_jobs", "Jobs kept, by kind and state.", labels=["kind", "state"])
    for (kind, state), count in statistics.counts.items():
        jobs.add_metric([kind, state], count)
    yield jobs
    for name, help_text, values in (
        ("voicegraph_queued_audio_seconds", "Seconds of audio waiting.", statistics.queued_cost),
        ("voicegraph_running_audio_seconds", "Seconds of audio in work.", statistics.running_cost),
        ("voicegraph_oldest_queued_seconds", "Age of the oldest waiting job.", statistics.oldest_queued_seconds),
    ):
        gauge = GaugeMetricFamily(name, help_text, labels=["kind"])
        for kind, value in values.items():
            gauge.add_metric([kind], value)
        yield gauge
    ended = SummaryMetricFamily(
        "voicegraph_job_seconds", "Time of ended jobs' last attempts.", labels=["kind", "state"]
    )
    for (kind, state), total in statistics.ended.items():
        ended.add_metric([kind, state], total.count, total.seconds)
    yield ended
    stages = SummaryMetricFamily("voicegraph_job_stage_seconds", "Time of stages.", labels=["kind", "stage"])
    for (kind, stage), total in statistics.stages.items():
        stages.add_metric([kind, stage], total.count, total.seconds)
    yield stages
    yield from _contract_families(statistics)


def _contract_families(statistics: JobStatistics) -> Iterator[Metric]:
    runs = CounterMetricFamily("celery_task_runs", "Runs by task.", labels=["task"])
    for stage, task in _TASKS.items():
        total = statistics.stages.get((TRANSCRIPTION.name, stage), Total(0.0, 0))
        runs.add_metric([task], total.count)
        yield SummaryMetricFamily(_SUMMARIES[stage], f"Time of {task}.", total.count, total.seconds)
    yield runs
