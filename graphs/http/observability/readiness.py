"""Readiness: check of everything that a request may need."""

import asyncio
from collections.abc import Iterable

from ray import serve
from ray.serve.schema import ApplicationStatus

from graphs.http.server.services import Services
from storage.database import DatabaseUnavailable
from storage.objects import StorageUnavailable

_SERVING = {"HEALTHY", "UPSCALING", "DOWNSCALING"}


async def unready(services: Services) -> dict[str, str]:
    """Return what is not ready, by name, with a reason; empty when all is."""
    missing: dict[str, str] = {}
    try:
        await services.database.ping()
    except DatabaseUnavailable:
        missing["database"] = "can't be reached"
    try:
        await asyncio.to_thread(services.objects.check)
    except StorageUnavailable:
        missing["objects"] = "can't be reached"
    return missing | await asyncio.to_thread(_deployments, services.config.applications)


def _deployments(names: Iterable[str]) -> dict[str, str]:
    applications = serve.status().applications
    missing: dict[str, str] = {}
    for name in names:
        application = applications.get(name)
        if application is None:
            missing[name] = "not deployed"
            continue
        faults = {
            # Serve's own message may quote paths, hosts and stack traces; whoever asks here has no key.
            f"{name}.{deployment}": status.status.value.lower()
            for deployment, status in application.deployments.items()
            if status.status.value not in _SERVING
        }
        if not faults and application.status != ApplicationStatus.RUNNING:
            faults[name] = application.status.value.lower()
        missing |= faults
    return missing
