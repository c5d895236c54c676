"""Health of the bundled avatar's films, in the form that the talking avatar's clients know."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from fastapi import Request
from pydantic import BaseModel, Field

from graphs.http.server.services import Services

CACHE_SECONDS = 5.0
"""Answers are kept so long: the route needs no key, and must not be a way to burden the parts behind it."""

PROBE_SECONDS = 5.0
_log = structlog.get_logger()


class HealthBody(BaseModel):
    """Parts that work."""

    status: str = Field(description="ready when all works, offline when nothing does, else degraded.")
    models_loaded: bool = Field(description="Whether the speech and the lip-sync engines answer.")
    avatar_loaded: bool = Field(description="Whether the bundled avatar is ready to speak.")
    device: str = Field(description="What the lip-sync engine computes on: cpu or cuda.")


class TalkingAvatarHealth:
    """Asks the parts, at most once in a few seconds.

    Args:
        monotonic: Measures spans of time, in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._known = HealthBody(status="offline", models_loaded=False, avatar_loaded=False, device="cpu")

    async def report(self, services: Services, correlation_id: str) -> HealthBody:
        """Return what works, as it was a few seconds ago at most."""
        async with self._asking:
            if self._asked_at is None or self._monotonic() - self._asked_at >= CACHE_SECONDS:
                self._known = await _ask(services, correlation_id)
                self._asked_at = self._monotonic()
            return self._known


def talking_avatar_health(request: Request) -> TalkingAvatarHealth:
    """Return the application's own."""
    state = request.app.state
    if not hasattr(state, "talking_avatar_health"):
        state.talking_avatar_health = TalkingAvatarHealth()
    health: TalkingAvatarHealth = state.talking_avatar_health
    return health


async def _ask(services: Services, correlation_id: str) -> HealthBody:
    device = "cpu"

    async def lipsync() -> None:
        nonlocal device
        device = await services.roles.lipsync.device()

    async def avatar() -> None:
        await services.avatars.ready(await services.avatars.default(), correlation_id)

    *models, avatar_loaded = await asyncio.gather(
        _works("lipsync", lipsync), _works("speech", services.roles.speech.voices), _works("avatar", avatar)
    )
    models_loaded = all(models)
    if models_loaded and avatar_loaded:
        status = "ready"
    else:
        status = "degraded" if any(models) else "offline"
    return HealthBody(status=status, models_loaded=models_loaded, avatar_loaded=avatar_loaded, device=device)


async def _works(name: str, part: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await part()
    except Exception:
        # Why is for the operators' log: the route needs no key.
        _log.warning("a part of the talking avatar does not answer", part=name, exc_info=True)
        return False
    return True
