"""Jobs of an ingress in process, done by a worker beside it."""

import asyncio
import json
import uuid
from typing import Any

from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from graphs.common.failures import classify
from storage.jobs import Backoff, Handler, JobWorker


def finish(client: TestClient, job_id: str, kind: str, handler: Handler) -> dict[str, Any]:
    """Run a worker until the job has ended, and return the job."""
    services = client.app.state.services  # type: ignore[attr-defined]

    async def until_ended() -> None:
        worker = JobWorker(
            services.database,
            {kind: handler},
            classify=classify,
            backoff=Backoff(base=0.0),
            poll_interval=0.1,
            throttle=0.0,
        )
        running = asyncio.create_task(worker.run())
        async for _event in services.jobs.follow(uuid.UUID(job_id), 1):
            pass
        await worker.stop(grace=10.0)
        await running

    assert client.portal is not None
    with capture_logs():  # rendering a traceback for a terminal takes seconds
        client.portal.call(until_ended)
    job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
    return job


def told(client: TestClient, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the job's events with their data, as a client hears them."""
    lines = client.get(f"/v1/jobs/{job_id}/events").text.splitlines()
    types = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return list(zip(types, data, strict=True))
