"""The ingress, HTTP and gRPC, as a Ray Serve deployment."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from ray import serve
from ray.serve import Deployment
from ray.serve.grpc_util import RayServegRPCContext
from starlette.middleware.trustedhost import TrustedHostMiddleware

from deployments.logs import configure_logs
from graphs.config import ADMIN_KEY_VARIABLE, ApiConfig, database_url
from graphs.http import admin, errors, jobs, ops, proxyai, realtone, uploads
from graphs.http.backpressure import (
    PROXY_HOOK,
    PROXY_HOOK_VARIABLE,
    LingerMiddleware,
    bound_replica,
    proxy_is_bounded,
)
from graphs.http.correlation import CORRELATION_HEADER, CorrelationMiddleware
from graphs.http.http_metrics import HttpMetrics, HttpMetricsMiddleware
from graphs.http.services import Services
from graphs.rpc.analysis import AudioAnalysis
from graphs.rpc.audio_analyzer_pb2 import AnalyzeAudioRequest, AnalyzeAudioResponse
from graphs.stores import open_stores
from storage.database import migrate
from storage.rate_limits import RateLimits
from storage.users import Users


def create_app(config: ApiConfig) -> FastAPI:
    """Build the ASGI application; its stores open with its lifespan."""
    metrics = HttpMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_stores(config.storage) as stores:
            admin_key = os.environ.get(ADMIN_KEY_VARIABLE, "")
            app.state.services = Services(
                config=config,
                database=stores.database,
                objects=stores.objects,
                jobs=stores.jobs,
                users=Users(stores.database),
                rate_limits=RateLimits(stores.database),
                admin_key_hash=hashlib.sha256(admin_key.encode()).digest() if admin_key else None,
            )
            yield

    # The reference at /docs brings its own scripts: it works without a network, and asks no other host.
    app = FastAPIOffline(title="VoiceGraph", version=version("voicegraph"), lifespan=lifespan, redoc_url=None)
    app.state.audio_analysis = AudioAnalysis(config)
    errors.install(app)
    for module in (jobs, uploads, proxyai, realtone, admin, ops):
        app.include_router(module.router)
    # The last one added is the first to see a request.
    app.add_middleware(HttpMetricsMiddleware, metrics=metrics)
    if config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.cors_origins),
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[CORRELATION_HEADER, "Location", "Retry-After"],
        )
    app.add_middleware(LingerMiddleware)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(config.allowed_hosts))
    app.add_middleware(CorrelationMiddleware)
    return app


class Ingress:
    """Answers HTTP by the application that Serve wraps it with, and gRPC by its methods.

    Attributes:
        app: That application.
    """

    app: FastAPI

    async def AnalyzeAudio(
        self, request: AnalyzeAudioRequest, grpc_context: RayServegRPCContext
    ) -> AnalyzeAudioResponse:
        """Serve ``audioanalyzer.AudioAnalysis/AnalyzeAudio``; Serve finds it by its name."""
        analysis: AudioAnalysis = self.app.state.audio_analysis
        return await analysis.analyze(self.app.state.services, request, grpc_context)


def ingress_deployment(config: ApiConfig) -> Deployment:
    """Return the deployment that serves the application; each replica builds its own."""

    def build() -> FastAPI:
        configure_logs(config.logs.level)
        bound_replica()
        if not proxy_is_bounded():
            structlog.get_logger().warning(
                "uploads may be held in the proxies' memory", remedy=f"set {PROXY_HOOK_VARIABLE}={PROXY_HOOK}"
            )
        migrate(database_url())
        return create_app(config)

    # Event streams and slow uploads hold a place each, so the places are many; work itself is never done here.
    deployment: Deployment = serve.deployment(
        name="ingress",
        max_ongoing_requests=1000,
        health_check_period_s=10,
        graceful_shutdown_timeout_s=30,
    )(serve.ingress(build)(Ingress))
    return deployment
