"""Load of the deployments, from the metrics that Serve exports on every node."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from graphs.http.observability.cluster_metrics import samples_of

Deployment = tuple[str, str]
"""Names of the application and of the deployment."""

LEAST_SPAN_S = 10.0
"""Every process exports its counters so often: over less, a rate would be chance."""

LONGEST_SPAN_S = 60.0

_ONGOING = "ray_serve_replica_processing_queries"
_QUEUED = "ray_serve_deployment_queued_queries"
_HANDLED = "ray_serve_deployment_request_counter"
_TARGET = "ray_serve_autoscaling_target_replicas"


@dataclass(frozen=True)
class Load:
    """Load of one deployment.

    Attributes:
        ongoing: Requests that its replicas work on.
        queued: Requests that wait for one of them.
        handled: Requests that they have been done with so far.
        target: Replicas that it shall have; None where Serve doesn't say.
    """

    ongoing: int
    queued: int
    handled: int
    target: int | None


def loads_of(exports: Iterable[str]) -> dict[Deployment, Load]:
    """Sum the samples of all nodes, by deployment.

    Args:
        exports: One text for each node, in Prometheus's format.
    """
    sums: dict[Deployment, dict[str, float]] = defaultdict(dict)
    for name, labels, value in samples_of(exports, (_ONGOING, _QUEUED, _HANDLED, _TARGET)):
        if "deployment" not in labels:
            continue
        measured = sums[labels.get("application", ""), labels["deployment"]]
        measured[name] = measured.get(name, 0.0) + value
    return {
        deployment: Load(
            ongoing=round(measured.get(_ONGOING, 0.0)),
            queued=round(measured.get(_QUEUED, 0.0)),
            handled=round(measured.get(f"{_HANDLED}_total", 0.0)),
            target=round(measured[_TARGET]) if _TARGET in measured else None,
        )
        for deployment, measured in sums.items()
    }


class Rates:
    """Requests a second, from how far the counters have come within about a minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[Deployment, int]]] = deque()

    def add(self, at: float, loads: Mapping[Deployment, Load]) -> None:
        """Note a measurement, and the time of it in seconds."""
        self._seen.append((at, {deployment: load.handled for deployment, load in loads.items()}))
        while len(self._seen) > 2 and self._seen[1][0] <= at - LONGEST_SPAN_S:
            self._seen.popleft()

    def of(self, deployment: Deployment) -> float | None:
        """Return a deployment's mean rate; None before there are two measurements far enough apart."""
        if not self._seen:
            return None
        (began, before), (ended, after) = self._seen[0], self._seen[-1]
        if ended - began < LEAST_SPAN_S or deployment not in after:
            return None
        # A replica that ended took its count with it.
        return max(0, after[deployment] - before.get(deployment, 0)) / (ended - began)
