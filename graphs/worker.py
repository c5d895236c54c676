"""The job worker as a Ray Serve deployment: takes jobs from Postgres and runs their graphs."""

import asyncio
import os
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
from graphs.clients import roles_of_handles
from graphs.common.config import GraphsConfig, database_url
from graphs.common.failures import classify
from graphs.common.job_kind import JobKinds, WorkerContext, handlers_of
from graphs.common.recordings import SharedRecording
from graphs.common.retention import run_retention
from graphs.common.roles import Roles
from graphs.common.stores import Stores, build_stores
from graphs.common.voices import Speakers
from graphs.kinds import KINDS
from storage.database import migrate
from storage.jobs import Handler, JobWorker
from storage.voices import Voices

# What a stopping worker needs, besides its jobs' grace, to give back those that are not done.
_GIVING_BACK_S = 10.0


class WorkerReplica:
    """Runs jobs until Serve stops it; running jobs are given a while to end, then returned to the queue.

    Args:
        config: Settings of the application.
        handles: Handles of the roles, by name.
        kinds: Kinds of job that are taken; others stay in the queue.
    """

    def __init__(
        self, config: GraphsConfig, handles: dict[str, DeploymentHandle[Any]], kinds: JobKinds = KINDS
    ) -> None:
        configure_logs(config.logs.level)
        self._config = config
        self._kinds = kinds
        migrate(database_url())
        # Here, so that a store that can't be used and a model that is missing stop the deployment with their reason.
        stores = build_stores(config.storage)
        stores.objects.ensure()
        handlers = handlers_of(kinds, _context(config, stores, roles_of_handles(handles)))
        self._stores: Stores | None = None
        self._stop = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run(stores, handlers))

    async def _run(self, stores: Stores, handlers: dict[str, Handler]) -> None:
        log = structlog.get_logger()
        async with stores.opened():
            self._stores = stores
            settings = self._config.worker
            worker = JobWorker(
                stores.database,
                handlers,
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

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Tell Serve's controller of the queue's backlog: see ``deployments.backlog``."""
        if self._stores is None:
            return {}
        # Jobs of other kinds wait for another version: more workers of this one would not help them.
        backlog = await self._stores.jobs.backlog(
            kinds=self._kinds.keys(), unknown_cost=self._config.worker.unknown_audio_seconds
        )
        return report(backlog.cost, backlog.queued, backlog.running)

    async def check_health(self) -> None:
        """Healthy while the worker's loop runs; Serve replaces the replica otherwise."""
        if self._running.done() and not self._stop.is_set():
            raise RuntimeError("the job worker has stopped") from self._running.exception()

    async def __del__(self) -> None:
        """Stop taking jobs and end those running, in the time that Serve grants."""
        self._stop.set()
        await self._running


def _context(config: GraphsConfig, stores: Stores, roles: Roles) -> WorkerContext:
    return WorkerContext(
        config=config,
        database=stores.database,
        objects=stores.objects,
        roles=roles,
        speakers=Speakers(roles.speech, Voices(stores.database), stores.objects),
        share=_share,
        put=ray.put,
    )


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
