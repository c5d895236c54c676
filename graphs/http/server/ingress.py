"""The ingress, HTTP and gRPC, as a Ray Serve deployment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
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
from graphs.common.config import ApiConfig, database_url
from graphs.common.job_kind import JobKinds
from graphs.common.roles import Roles
from graphs.http.compat.golos import routes as golos
from graphs.http.compat.golos.errors import ERRORS as GOLOS_ERRORS
from graphs.http.compat.lingua import live as live_lingua
from graphs.http.compat.lingua import routes as lingua
from graphs.http.compat.lingua.errors import SPEECH_ERRORS, TYPED_ERRORS
from graphs.http.compat.lingua.live import LazyLiveServer
from graphs.http.compat.proxyai import routes as proxyai
from graphs.http.compat.proxyai.errors import ERRORS as PROXYAI_ERRORS
from graphs.http.compat.realtone import routes as realtone
from graphs.http.compat.realtone.errors import ERRORS as REALTONE_ERRORS
from graphs.http.compat.realtone.rpc.analysis import AudioAnalysis
from graphs.http.compat.realtone.rpc.audio_analyzer_pb2 import AnalyzeAudioRequest, AnalyzeAudioResponse
from graphs.http.compat.talking_avatar import routes as talking_avatar
from graphs.http.compat.talking_avatar.errors import ERRORS as TALKING_AVATAR_ERRORS
from graphs.http.observability.http_metrics import HttpMetrics, HttpMetricsMiddleware
from graphs.http.routes import (
    admin,
    assistant,
    avatar_films,
    avatars,
    engines,
    jobs,
    me,
    media,
    ops,
    page,
    speech,
    system,
    translation,
    uploads,
    voices,
)
from graphs.http.routes.job_kinds import job_kinds_router
from graphs.http.server import errors, openapi
from graphs.http.server.correlation import CORRELATION_HEADER, CorrelationMiddleware
from graphs.http.server.lifespan import open_services
from graphs.http.server.linger import LingerMiddleware
from graphs.http.server.live import create_live_server
from graphs.kinds import KINDS
from graphs.ray_patches.backpressure import (
    PROXY_HOOK,
    PROXY_HOOK_VARIABLE,
    bound_replica,
    proxy_is_bounded,
)
from graphs.ray_patches.draining import on_drain
from storage.database import migrate

ERROR_FORMATS = (
    PROXYAI_ERRORS, REALTONE_ERRORS, GOLOS_ERRORS, SPEECH_ERRORS, TYPED_ERRORS, TALKING_AVATAR_ERRORS,
)  # fmt: skip


def create_app(config: ApiConfig, roles: Roles | None = None, kinds: JobKinds = KINDS) -> FastAPI:
    """Build the ASGI application; its stores open with its lifespan.

    Args:
        config: Its settings.
        roles: The roles; left out, those of the Serve application that the settings name.
        kinds: Kinds of job.
    """
    metrics = HttpMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(config, roles, kinds) as services:
            app.state.services = services
            live_server = app.state.lazy_live_server = LazyLiveServer(partial(create_live_server, services))
            loop = asyncio.get_running_loop()
            app.state.drain = lambda: loop.call_soon_threadsafe(live_server.close)
            yield

    # The reference at /docs brings its own scripts: it works without a network, and asks no other host.
    app = FastAPIOffline(title="VoiceGraph", version=version("voicegraph"), lifespan=lifespan, redoc_url=None)
    app.state.audio_analysis = AudioAnalysis(config)
    errors.install(app, ERROR_FORMATS)
    app.include_router(job_kinds_router(kinds))
    for module in (
        jobs, media, uploads, speech, voices, translation, assistant, avatars, avatar_films,
        proxyai, realtone, golos, lingua, live_lingua, talking_avatar, admin, me, system, engines, ops, page,
    ):  # fmt: skip
        app.include_router(module.router)
    openapi.install(app)
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
        app = create_app(config)
        on_drain(lambda: app.state.drain())
        return app

    # Event streams and slow uploads hold a place each, so the places are many; work itself is never done here.
    deployment: Deployment = serve.deployment(
        name="ingress",
        max_ongoing_requests=1000,
        health_check_period_s=10,
        graceful_shutdown_timeout_s=30,
    )(serve.ingress(build)(Ingress))
    return deployment
