"""Request metrics of the ingress, labelled by route template so that their number stays bounded."""

import asyncio
import time
from typing import Any

from ray.serve.metrics import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.metrics import LATENCY_BUCKETS_S

CLIENT_LEFT = 499
"""The status that is counted where a client left before its response began; nginx's number for it."""


class HttpMetrics:
    """Counts requests and measures their time to the end of the response, under proxyAI's metric names."""

    def __init__(self) -> None:
        labels: Any = ("method", "path", "status")  # Ray annotates tuples of one
        self._requests = Counter("http_requests_total", "Requests by method, route and status.", tag_keys=labels)
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from the request's head to the end of its response.",
            boundaries=LATENCY_BUCKETS_S,
            tag_keys=("path",),
        )

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.inc(1, tags={"method": method, "path": path, "status": str(status)})
        self._seconds.observe(seconds, tags={"path": path})


class HttpMetricsMiddleware:
    """Feeds every request into the metrics."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        status: int | None = None

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        unanswered = 500
        try:
            await self._app(scope, receive, watch)
        except asyncio.CancelledError:
            # Serve cancels the request of a client that has left: nobody was let down.
            unanswered = CLIENT_LEFT
            raise
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "unmatched")
            self._metrics.observe(scope["method"], path, status or unanswered, time.monotonic() - started)
