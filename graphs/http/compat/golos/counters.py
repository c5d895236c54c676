"""Counters of golos' routes: every request, how it ended and which parts it used."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.routing import APIRoute

from graphs.http.server.services import services_of
from storage.sessions import AssistantCounters

_log = structlog.get_logger()


class CountedRoute(APIRoute):
    """A route that counts its requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of requests."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handle(request)
            except Exception:
                await _count(request, "total_requests", "failed_requests")
                raise
            outcome = "successful_requests" if response.status_code < 400 else "failed_requests"
            await _count(request, "total_requests", outcome)
            return response

        return handled


def counts(request: Request, *names: str) -> None:
    """Count, at the end of the request, that it used these."""
    if not hasattr(request.state, "golos_counts"):
        request.state.golos_counts = set()
    request.state.golos_counts.update(names)


async def _count(request: Request, *names: str) -> None:
    counts(request, *names)
    try:
        await AssistantCounters(services_of(request).database).add(request.state.golos_counts)
    except Exception:
        # The response matters more than that it is counted.
        _log.warning("a request was not counted", exc_info=True)
