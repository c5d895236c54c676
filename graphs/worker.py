"""The job worker as a Ray Serve deployment: takes jobs from Postgres and runs their graphs."""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import numpy as np
import ray
import structlog
from numpy.typing import NDArray
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle

from deployments.backlog import report
from deployments.logs import configure_logs
from graphs.avatar import job as avatar_job
from graphs.avatar.graph import AvatarGraph
from graphs.avatar.job import AvatarJob
from graphs.avatar.library import AvatarLibrary
from graphs.common.config import GraphsConfig, database_url, expanded
from graphs.common.failures import classify
from graphs.common.recordings import SharedRecording
from graphs.common.retention import run_retention
from graphs.common.roles import (
    ServedAsr,
    ServedDiarization,
    ServedLipsync,
    ServedSpeech,
    ServedSpoof,
    ServedTranslation,
)
from graphs.common.stores import Stores, open_stores
from graphs.common.voices import Speakers
from graphs.spoof import job as spoof_job
from graphs.spoof.graph import SpoofGraph
from graphs.spoof.job import SpoofJob
from graphs.transcription import job as transcription_job
from graphs.transcription.graph import TranscriptionGraph
from graphs.transcription.job import TranscriptionJob
from graphs.translation import job as speech_translation_job
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.job import SpeechTranslationJob
from graphs.translation.text import TranslationGraph
from graphs.translation.utterances import UTTERANCE_VAD
from models.vad import SileroVad
from storage.avatars import Avatars
from storage.database import migrate
from storage.jobs import Handler, JobWorker
from storage.objects import build as build_objects
from storage.voices import Voices

# What a stopping worker needs, besides its jobs' grace, to give back those that are not done.
_GIVING_BACK_S = 10.0


class WorkerReplica:
    """Runs jobs until Serve stops it; running jobs are given a while to end, then returned to the queue.

    Args:
        config: Settings of the application.
        roles: Handles of the roles, by name; not every one is needed by a job.
    """

    def __init__(self, config: GraphsConfig, roles: dict[str, DeploymentHandle[Any]]) -> None:
        configure_logs(config.logs.level)
        self._config = config
        recogniser = ServedAsr(roles["asr"])
        diarizer, detector = ServedDiarization(roles["diarization"]), ServedSpoof(roles["spoof"])
        min_speech = config.spoof.min_speech_seconds
        self._transcription = TranscriptionGraph(recogniser, diarizer, detector, min_speech=min_speech)
        self._spoof = SpoofGraph(detector, diarizer, SileroVad().speech, min_speech=min_speech)
        self._speech = ServedSpeech(roles["speech"])
        self._translation = SpeechTranslationGraph(
            recogniser,
            TranslationGraph(ServedTranslation(roles["translation"])),
            self._speech,
            SileroVad(UTTERANCE_VAD).speech,
        )
        self._lipsync = ServedLipsync(roles["lipsync"])
        migrate(database_url())
        # Here, so that a store that can't be used stops the deployment with its reason.
        build_objects(expanded(config.storage.objects)).ensure()
        self._stores: Stores | None = None
        self._stop = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        log = structlog.get_logger()
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_stores(self._config.storage))
            self._stores = stores
            settings = self._config.worker
            worker = JobWorker(
                stores.database,
                self._handlers(stores),
                classify=classify,
                concurrency=settings.concurrency,
                heartbeat=settings.heartbeat_seconds,
                stalled_after=settings.stalled_after_seconds,
                throttle=settings.progress_seconds,
            )
            keeping = asyncio.create_task(
                run_retention(stores, lambda: datetime.now(UTC), self._config.storage.retention_days)
            )
            working = asyncio.create_task(worker.run())
            log.info("worker ready", pid=os.getpid(), concurrency=settings.concurrency)
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({working, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self._stores = None
            await worker.stop(settings.shutdown_grace_seconds)
            for task in (keeping, working, stopping):
                task.cancel()
            await asyncio.gather(keeping, working, stopping, return_exceptions=True)

    def _handlers(self, stores: Stores) -> dict[str, Handler]:
        objects, limits = stores.objects, self._config.recordings
        speakers = Speakers(self._speech, Voices(stores.database), objects)
        library = AvatarLibrary(Avatars(stores.database), objects, self._lipsync, self._config.avatars, ray.put)
        films = AvatarGraph(self._lipsync, self._config.video)
        return {
            transcription_job.KIND: TranscriptionJob(self._transcription, objects, limits, _share),
            spoof_job.KIND: SpoofJob(self._spoof, objects, limits, _share),
            speech_translation_job.KIND: SpeechTranslationJob(self._translation, objects, limits, _share, speakers),
            avatar_job.KIND: AvatarJob(films, objects, limits, speakers, library),
        }

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell Serve's controller of the queue's backlog: see ``deployments.backlog``."""
        if self._stores is None:
            return {}
        backlog = await self._stores.jobs.backlog(unknown_cost=self._config.worker.unknown_audio_seconds)
        return report(backlog.cost, backlog.queued, backlog.running)

    async def check_health(self) -> None:
        """Healthy while the worker's loop runs; Serve replaces the replica otherwise."""
        if self._running.done() and not self._stop.is_set():
            raise RuntimeError("the job worker has stopped") from self._running.exception()

    async def __del__(self) -> None:
        """Stop taking jobs and end those running, in the time that Serve grants."""
        self._stop.set()
        await self._running


def _share(samples: NDArray[np.float32]) -> SharedRecording:
    """Put samples into Ray's object store once, and read them back from there without a copy."""
    reference = ray.put(samples)
    return SharedRecording(reference, ray.get(reference))


_deployment: Deployment = serve.deployment(
    name="worker",
    max_ongoing_requests=16,
    health_check_period_s=10,
    health_check_timeout_s=30,
)(WorkerReplica)


def worker_deployment(config: GraphsConfig) -> Deployment:
    """Return the deployment; Serve grants a replica that it stops the time that its jobs are granted."""
    grace = config.worker.shutdown_grace_seconds + _GIVING_BACK_S
    deployment: Deployment = _deployment.options(graceful_shutdown_timeout_s=grace)
    return deployment
