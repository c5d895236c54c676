"""The job worker as a Ray Serve deployment: takes jobs from Postgres and runs their graphs."""

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import ray
import structlog
from ray import serve
from ray.serve import Deployment
from ray.serve.handle import DeploymentHandle

from deployments.logs import configure_logs
from graphs.config import GraphsConfig, database_url, expanded
from graphs.failures import classify
from graphs.roles import ServedAsr, ServedDiarization
from graphs.stores import open_stores
from graphs.transcription import TranscriptionGraph
from graphs.transcription_job import KIND, TranscriptionJob
from graphs.upkeep import upkeep
from storage.database import migrate
from storage.jobs import JobWorker
from storage.objects import build as build_objects

SHUTDOWN_GRACE_S = 20.0


class WorkerReplica:
    """Runs jobs until Serve stops it; running jobs are given a while to end, then returned to the queue.

    Args:
        config: Settings of the application.
        asr: Handle of the speech recogniser.
        diarization: Handle of the diarizer.
    """

    def __init__(self, config: GraphsConfig, asr: DeploymentHandle[Any], diarization: DeploymentHandle[Any]) -> None:
        configure_logs(config.logs.level)
        self._config = config
        self._graph = TranscriptionGraph(ServedAsr(asr), ServedDiarization(diarization))
        migrate(database_url())
        # Here, so that a store that can't be used stops the deployment with its reason.
        build_objects(expanded(config.storage.objects)).ensure()
        self._stop = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        log = structlog.get_logger()
        async with AsyncExitStack() as stack:
            stores = await stack.enter_async_context(open_stores(self._config.storage))
            settings = self._config.worker
            worker = JobWorker(
                stores.database,
                {KIND: TranscriptionJob(self._graph, stores.objects, self._config.recordings, share=ray.put)},
                classify=classify,
                concurrency=settings.concurrency,
                heartbeat=settings.heartbeat_seconds,
                stalled_after=settings.stalled_after_seconds,
                throttle=settings.progress_seconds,
            )
            keeping = asyncio.create_task(
                upkeep(stores, lambda: datetime.now(UTC), self._config.storage.retention_days)
            )
            working = asyncio.create_task(worker.run())
            log.info("worker ready", pid=os.getpid(), concurrency=settings.concurrency)
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({working, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await worker.stop(SHUTDOWN_GRACE_S)
            for task in (keeping, working, stopping):
                task.cancel()
            await asyncio.gather(keeping, working, stopping, return_exceptions=True)

    async def check_health(self) -> None:
        """Healthy while the worker's loop runs; Serve replaces the replica otherwise."""
        if self._running.done() and not self._stop.is_set():
            raise RuntimeError("the job worker has stopped") from self._running.exception()

    async def __del__(self) -> None:
        """Stop taking jobs and end those running, in the time that Serve grants."""
        self._stop.set()
        await self._running


worker_deployment: Deployment = serve.deployment(
    name="worker",
    max_ongoing_requests=16,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=SHUTDOWN_GRACE_S + 10,
)(WorkerReplica)
