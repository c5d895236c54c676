"""Health, readiness and metrics."""

import asyncio
from importlib.metadata import version

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from graphs.http.observability.cluster_metrics import render_cluster_metrics
from graphs.http.observability.job_metrics import render_job_metrics
from graphs.http.observability.readiness import unready
from graphs.http.server.auth import owner_or_admin
from graphs.http.server.limits import per_minute
from graphs.http.server.services import ServicesDependency

router = APIRouter(tags=["operation"])

VERSION = version("voicegraph")


@router.get("/health", dependencies=[Depends(per_minute("health"))], summary="The ingress answers")
async def health() -> dict[str, str]:
    """Return ok while this process serves requests."""
    return {"status": "ok", "version": VERSION}


@router.get("/ready", summary="Every deployment of the configured graphs is ready")
async def ready(services: ServicesDependency) -> JSONResponse:
    """Return 200 when all can be served, else 503 with what is missing."""
    missing = await unready(services)
    if missing:
        return JSONResponse(
            {"status": "not ready", "version": VERSION, "missing": missing}, 503, headers={"Retry-After": "2"}
        )
    return JSONResponse({"status": "ready", "version": VERSION})


@router.get(
    "/metrics",
    dependencies=[Depends(per_minute("metrics")), Depends(owner_or_admin)],
    summary="Prometheus metrics of the whole system",
)
async def metrics(services: ServicesDependency) -> Response:
    """Return the metrics of all replicas on all nodes and of the job queue, in Prometheus's text format."""
    processes, jobs = await asyncio.gather(render_cluster_metrics(), render_job_metrics(services.jobs))
    return PlainTextResponse(processes + jobs, media_type="text/plain; version=0.0.4; charset=utf-8")
