"""Health of the assistant's parts, in the form that golos' clients know."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import Request

from graphs.http.routes.ops import VERSION
from graphs.http.server.services import Services

CACHE_SECONDS = 5.0
"""Answers are kept so long: the route needs no key, and must not be a way to burden the parts behind it."""

PROBE_SECONDS = 5.0
SERVICE = "golos-api"
_BEGAN = time.monotonic()
_log = structlog.get_logger()


class Health:
    """Asks the parts, at most once in a few seconds.

    Args:
        monotonic: Measures spans of time, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._parts: dict[str, dict[str, str]] = {}

    async def report(self, services: Services) -> dict[str, Any]:
        """Return the report; its status is ``ok`` or ``degraded``."""
        async with self._asking:
            if self._asked_at is None or self._monotonic() - self._asked_at >= CACHE_SECONDS:
                self._parts = await _ask(services)
                self._asked_at = self._monotonic()
        degraded = any(part["status"] != "ok" for part in self._parts.values())
        return {
            "status": "degraded" if degraded else "ok",
            "service": SERVICE,
            "version": VERSION,
            "uptime": f"{int(time.monotonic() - _BEGAN)}s",
            "timestamp": datetime.now(UTC).isoformat(),
            "dependencies": self._parts,
        }


def health_of(request: Request) -> Health:
    """Return the application's own."""
    state = request.app.state
    if not hasattr(state, "golos_health"):
        state.golos_health = Health()
    health: Health = state.golos_health
    return health


async def _ask(services: Services) -> dict[str, dict[str, str]]:
    # The names are golos': whatever engine is configured answers as gigachat, the speech roles as the audio service.
    parts: dict[str, Callable[[], Awaitable[object]]] = {
        "gigachat": services.assistant.chat.check,
        "audio_service": services.assistant.speech.voices,
        "database": services.database.ping,
    }
    answers = await asyncio.gather(*(_probe(name, part) for name, part in parts.items()))
    return dict(zip(parts, answers, strict=True))


async def _probe(name: str, part: Callable[[], Awaitable[object]]) -> dict[str, str]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await part()
    except Exception:
        # Why is for the operators' log: the route needs no key.
        _log.warning("a part of the assistant does not answer", part=name, exc_info=True)
        return {"status": "error", "error": "недоступно"}
    return {"status": "ok", "response_time": f"{1000 * (time.monotonic() - began):.0f}ms"}
