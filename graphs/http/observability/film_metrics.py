"""Metrics of the films that an ingress replica streams."""

from typing import Any

from ray.serve.metrics import Counter, Gauge, Histogram

from deployments.metrics import LATENCY_BUCKETS_S, PREFIX
from graphs.avatar.graph import FilmReport


class RayFilmMetrics:
    """Counts streamed films; see ``graphs.avatar.streams.FilmMetrics``."""

    def __init__(self) -> None:
        labels: Any = ("status",)  # Ray annotates tuples of one
        self._open = Gauge(PREFIX + "films_open", "Films that are being made for a client.")
        self._started = Counter(PREFIX + "films_started_total", "Films that were begun.")
        self._ended = Counter(
            PREFIX + "films_ended_total",
            "Films that have ended, by how: complete, failed, or left by the client.",
            tag_keys=labels,
        )
        self._frames = Counter(PREFIX + "film_frames_total", "Frames of the complete films.")
        self._first = Histogram(
            PREFIX + "film_first_fragment_seconds",
            "Seconds from a film's beginning to its first fragment.",
            boundaries=LATENCY_BUCKETS_S,
        )

    def started(self, open: int) -> None:
        """Count a film that begins, and how many there are now."""
        self._started.inc(1)
        self._open.set(open)

    def complete(self, report: FilmReport) -> None:
        """Count what a film consists of."""
        self._frames.inc(report.frames)
        self._first.observe(report.timings["first_fragment"])

    def ended(self, status: str, open: int) -> None:
        """Count the end of a film, and how many are left."""
        self._ended.inc(1, tags={"status": status})
        self._open.set(open)
