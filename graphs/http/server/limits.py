"""Rate limits of the compatible routes, by IP address and minute."""

from collections.abc import Awaitable, Callable

from fastapi import Request

from graphs.common.errors import ApiError
from graphs.http.server.services import ServicesDependency


def per_minute(name: str) -> Callable[..., Awaitable[None]]:
    """Return a dependency that counts a request against the limit of this name.

    Counted in Postgres, so that the limit holds over all ingress replicas.
    """

    async def count(request: Request, services: ServicesDependency) -> None:
        limit: int = getattr(services.config.rate_limits, name)
        address = request.client.host if request.client else "unknown"
        decision = await services.rate_limits.hit(f"{name}:{address}", limit, 60)
        if not decision.allowed:
            raise ApiError(429, "rate_limited", "Too Many Requests", retry_after=decision.retry_after)

    return count
