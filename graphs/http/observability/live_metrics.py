"""Metrics of live connections."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray.serve.metrics import Counter, Gauge

from deployments.metrics import PREFIX


class RayLiveMetrics:
    """Counts a replica's connections; see ``graphs.live.server.LiveMetrics``."""

    def __init__(self) -> None:
        labels: Any = ("status",)  # Ray annotates tuples of one
        self._open = 0
        self._gauge = Gauge(PREFIX + "live_connections", "Open WebSocket connections.")
        self._ended = Counter(
            PREFIX + "live_connections_ended_total", "Connections that have ended, by the reason.", tag_keys=labels
        )

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Count a connection as open for the length of the block."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def ended(self, reason: str) -> None:
        """Count the end of a connection."""
        self._ended.inc(1, tags={"status": reason})

    def _change(self, by: int) -> None:
        self._open += by
        self._gauge.set(self._open)
