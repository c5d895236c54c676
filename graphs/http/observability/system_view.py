"""The state of the system, gathered at most once in two seconds by each ingress replica."""

import asyncio
import contextlib
import math
import platform
import time
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import structlog
from ray import serve
from ray.serve.schema import ApplicationStatusOverview, DeploymentStatusOverview

from graphs.common.errors import ApiError
from graphs.http.observability.cluster_metrics import node_exports
from graphs.http.observability.serve_load import Deployment, Load, Rates, loads_of
from graphs.http.observability.system_schemas import (
    ApplicationState,
    DeploymentState,
    QueueState,
    ReplicaCounts,
    SystemBody,
)
from storage.jobs import JobStatistics

KEPT_S = 2.0
LOAD_KEPT_S = 5.0
LOAD_STALE_S = 60.0
"""After so long without anybody who looks, the last numbers say nothing any more."""

FIRST_LOAD_WAIT_S = 1.0
"""The first answer waits so long for the loads; they take longer on a busy machine, and then are in a later one."""

STATUS_TIMEOUT_S = 5.0

_TOLD = (
    "ray",
    "fastapi",
    "psycopg",
    "numpy",
    "av",
    "onnxruntime",
    "torch",
    "transformers",
    "ctranslate2",
    "faster-whisper",
    "pyannote.audio",
    "pocketsphinx",
)
SENTENCES = {
    "UPDATING": "It is being brought up.",
    "UPSCALING": "Replicas are being added.",
    "DOWNSCALING": "Replicas are being removed.",
    "UNHEALTHY": "A replica fails its health check; the operators find why in its log.",
    "DEPLOY_FAILED": "It could not be started; the operators find why in its log.",
}
_log = structlog.get_logger()

Statuses = Mapping[str, ApplicationStatusOverview]


@cache
def installed_versions() -> dict[str, str]:
    """Return the versions of what this process works with, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in _TOLD:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


async def serve_statuses() -> Statuses:
    """Ask Serve's controller for the state of its applications.

    Raises:
        ApiError: 503 when it does not answer.
    """
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            return (await asyncio.to_thread(serve.status)).applications
    except Exception as error:
        _log.warning("the state of the deployments can't be had", exc_info=True)
        raise ApiError(503, "state_unavailable", "Serve does not answer; try again.", retry_after=5) from error


@dataclass(frozen=True)
class _Measured:
    at: float
    loads: Mapping[Deployment, Load]


@dataclass
class SystemView:
    """Looks at the system for everybody who asks this replica.

    Args:
        statuses: Asks for the state of all applications.
        exports: Asks every node for its metrics.
        monotonic: Measures spans of time, in seconds.
    """

    statuses: Callable[[], Awaitable[Statuses]] = serve_statuses
    exports: Callable[[], Awaitable[list[str]]] = node_exports
    monotonic: Callable[[], float] = time.monotonic
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _body: SystemBody | None = None
    _looked_at: float = 0.0
    _measuring: asyncio.Task[None] | None = None
    _measured: _Measured | None = None
    _rates: Rates = field(default_factory=Rates)

    async def look(
        self,
        names: tuple[str, ...],
        statistics: Callable[[], Awaitable[JobStatistics]],
        kinds: Container[str],
        dashboard_url: str | None,
        system_version: str,
    ) -> SystemBody:
        """Return the state, as it was within the last ``KEPT_S``.

        Args:
            names: Applications to tell of.
            statistics: Counts the jobs.
            kinds: Kinds of job of this version.
            dashboard_url: Where Ray's dashboard is, for people.
            system_version: This product's version.
        """
        async with self._looking:
            if self._body is not None and self.monotonic() - self._looked_at < KEPT_S:
                return self._body
            statuses, jobs, _ = await asyncio.gather(self.statuses(), statistics(), self._recent_loads())
            self._body = SystemBody(
                version=system_version,
                versions=installed_versions(),
                applications=[self._application(name, statuses.get(name)) for name in names],
                load_age_seconds=round(self.monotonic() - self._measured.at, 1) if self._measured else None,
                queue=_queue(jobs, kinds),
                dashboard_url=dashboard_url,
            )
            self._looked_at = self.monotonic()
            return self._body

    async def _recent_loads(self) -> None:
        """See that loads are measured, without holding the answer up for long."""
        age = self.monotonic() - self._measured.at if self._measured else math.inf
        if age > LOAD_STALE_S:
            self._measured = None
        if age >= LOAD_KEPT_S and (self._measuring is None or self._measuring.done()):
            self._measuring = asyncio.create_task(self._measure(), name="measuring of loads")
        if self._measured is None and self._measuring is not None:
            await asyncio.wait({self._measuring}, timeout=FIRST_LOAD_WAIT_S)

    async def _measure(self) -> None:
        try:
            exports = await self.exports()
            loads = await asyncio.to_thread(loads_of, exports)
        except Exception:
            _log.warning("the deployments' loads can't be had", exc_info=True)
            return
        self._measured = _Measured(self.monotonic(), loads)
        self._rates.add(self._measured.at, loads)

    def _application(self, name: str, status: ApplicationStatusOverview | None) -> ApplicationState:
        if status is None:
            return ApplicationState(name=name, status="not_deployed", deployments=[])
        return ApplicationState(
            name=name,
            status=status.status.value.lower(),
            deployments=[
                self._deployment((name, deployment), state) for deployment, state in sorted(status.deployments.items())
            ],
        )

    def _deployment(self, key: Deployment, status: DeploymentStatusOverview) -> DeploymentState:
        load = self._measured.loads.get(key) if self._measured else None
        rate = self._rates.of(key)
        # Serve declares members of an enum of texts here, and gives their values.
        counts: Mapping[str, int] = {state: count for state, count in status.replica_states.items()}
        return DeploymentState(
            name=key[1],
            status=status.status.value.lower(),
            # Serve's own message may quote paths, hosts and stack traces.
            message=SENTENCES.get(status.status.value),
            replicas=ReplicaCounts(
                running=counts.get("RUNNING", 0),
                starting=sum(counts.get(state, 0) for state in ("STARTING", "UPDATING", "RECOVERING")),
                stopping=sum(counts.get(state, 0) for state in ("STOPPING", "PENDING_MIGRATION")),
                target=load.target if load else None,
            ),
            ongoing_requests=load.ongoing if load else None,
            queued_requests=load.queued if load else None,
            requests_per_second=None if rate is None else round(rate, 2),
        )


def _queue(jobs: JobStatistics, known: Container[str]) -> list[QueueState]:
    kinds = sorted({kind for kind, _state in jobs.counts})
    return [
        QueueState(
            kind=kind,
            supported=kind in known,
            queued=jobs.counts.get((kind, "queued"), 0),
            running=jobs.counts.get((kind, "running"), 0),
            succeeded=jobs.counts.get((kind, "succeeded"), 0),
            failed=jobs.counts.get((kind, "failed"), 0),
            cancelled=jobs.counts.get((kind, "cancelled"), 0),
            queued_audio_seconds=round(jobs.queued_cost.get(kind, 0.0), 1),
            running_audio_seconds=round(jobs.running_cost.get(kind, 0.0), 1),
            oldest_queued_seconds=_rounded(jobs.oldest_queued_seconds.get(kind)),
        )
        for kind in kinds
    ]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
