"""Call metrics, with the status that the caller saw: Serve's own count a refusal that is no exception as OK."""

from typing import Any

from ray.serve.metrics import Counter, Histogram

from deployments.metrics import LATENCY_BUCKETS_S, PREFIX


class RpcMetrics:
    """Counts calls and measures their time."""

    def __init__(self) -> None:
        labels: Any = ("method", "status")  # Ray annotates tuples of one
        self._calls = Counter(PREFIX + "grpc_requests_total", "Calls by method and status.", tag_keys=labels)
        self._seconds = Histogram(
            PREFIX + "grpc_request_duration_seconds",
            "Seconds from a call's arrival at the ingress to its end.",
            boundaries=LATENCY_BUCKETS_S,
            tag_keys=("method",),
        )

    def observe(self, method: str, status: str, seconds: float) -> None:
        """Count one call."""
        self._calls.inc(1, tags={"method": method, "status": status})
        self._seconds.observe(seconds, tags={"method": method})
