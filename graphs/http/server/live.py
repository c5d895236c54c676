"""Live audio over WebSocket: the assistant and the interpreter, as a Serve application of their own.

Long-lived sockets have their own replicas, so that they take no place of a request's. The protocol is docs/live.md.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, WebSocket
from ray import serve
from ray.serve import Deployment
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.logs import configure_logs
from graphs.common.config import ApiConfig, database_url
from graphs.common.roles import Roles
from graphs.http.observability.live_metrics import RayLiveMetrics
from graphs.http.server import errors
from graphs.http.server.correlation import CorrelationMiddleware, correlation_id_of
from graphs.http.server.lifespan import open_services
from graphs.http.server.services import Services
from graphs.live.server import LiveServer
from graphs.ray_patches.backpressure import bound_replica
from graphs.ray_patches.draining import on_drain
from graphs.translation.graph import SpeechTranslationGraph
from graphs.translation.text import TranslationGraph
from graphs.translation.utterances import UTTERANCE_VAD
from models.vad import SileroVad
from models.vad.streaming import StreamingVad
from storage.database import migrate

router = APIRouter(tags=["live"])


def presented_key(socket: WebSocket) -> str:
    """Return the API key of a WebSocket's headers; empty where there is none."""
    scheme, _, token = socket.headers.get("Authorization", "").partition(" ")
    return socket.headers.get("X-API-Key") or (token.strip() if scheme.lower() == "bearer" else "")


@router.websocket("/")
async def converse(socket: WebSocket) -> None:
    """Talk with the assistant."""
    live_server: LiveServer = socket.app.state.live_server
    await live_server.converse(socket, presented_key(socket), correlation_id_of(socket))


@router.websocket("/translation")
async def interpret(socket: WebSocket) -> None:
    """Be interpreted."""
    live_server: LiveServer = socket.app.state.live_server
    await live_server.interpret(socket, presented_key(socket), correlation_id_of(socket))


async def create_live_server(services: Services) -> LiveServer:
    """Return the live server of a replica; loads the speech detector."""
    roles = services.roles
    detector = await asyncio.to_thread(SileroVad)
    utterances = await asyncio.to_thread(SileroVad, UTTERANCE_VAD)
    return LiveServer(
        settings=services.config.live,
        authenticate=services.users.authenticate,
        new_scorer=lambda: StreamingVad(detector),
        assistant=services.assistant,
        translation=SpeechTranslationGraph(
            roles.asr, TranslationGraph(roles.translation), roles.speech, utterances.speech
        ),
        find_speaker=services.speakers.find,
        metrics=RayLiveMetrics(),
    )


def create_live_app(config: ApiConfig, roles: Roles | None = None) -> FastAPI:
    """Build the ASGI application; its stores open with its lifespan.

    Args:
        config: Its settings.
        roles: The roles that it calls; left out, those of the Serve application that the settings name.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(config, roles, recogniser=config.live.recogniser) as services:
            live_server = app.state.live_server = await create_live_server(services)
            loop = asyncio.get_running_loop()
            app.state.drain = lambda: loop.call_soon_threadsafe(live_server.close)
            yield

    app = FastAPI(title="VoiceGraph live", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    errors.install(app)
    app.include_router(router)
    app.add_middleware(MountPointMiddleware)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(config.allowed_hosts))
    app.add_middleware(CorrelationMiddleware)
    return app


class MountPointMiddleware:
    """Takes the path where the application is mounted for its root, with or without the slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "websocket" and scope["path"] == scope.get("root_path"):
            scope = {**scope, "path": scope["path"] + "/"}
        await self._app(scope, receive, send)


def live_deployment(config: ApiConfig) -> Deployment:
    """Return the deployment that serves the application; each replica builds its own."""

    def build() -> FastAPI:
        configure_logs(config.logs.level)
        bound_replica()
        migrate(database_url())
        app = create_live_app(config)
        on_drain(lambda: app.state.drain())
        return app

    # A place is an open socket, and most of them are silent most of the time.
    deployment: Deployment = serve.deployment(
        name="live",
        max_ongoing_requests=500,
        health_check_period_s=10,
        graceful_shutdown_timeout_s=30,
    )(serve.ingress(build)())
    return deployment
