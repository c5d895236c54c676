"""The application ``graphs`` with roles that tell how long their engines were at work for a call."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar
from unittest.mock import patch

import structlog
from ray.serve import Application

from deployments.asr import AsrReplica
from deployments.replica import EngineReplica, deployment_of
from deployments.speech import SpeechReplica
from graphs import app
from graphs.common.config import GraphsConfig

ResultT = TypeVar("ResultT")


class _Timed(EngineReplica[Any]):
    """Keeps the seconds of each step of the engine, by the correlation id of the call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._steps: dict[str, list[float]] = defaultdict(list)
        super().__init__(*args, **kwargs)

    def _timed(self, function: Callable[[], ResultT]) -> ResultT:
        started = time.perf_counter()
        try:
            return super()._timed(function)
        finally:
            correlation_id = structlog.contextvars.get_contextvars().get("correlation_id", "")
            self._steps[correlation_id].append(time.perf_counter() - started)

    async def engine_steps(self, correlation_id: str) -> list[float]:
        """Return the seconds of the steps so far, in order."""
        return self._steps[correlation_id]


class TimedAsrReplica(_Timed, AsrReplica):
    """A recogniser that tells them."""


class TimedSpeechReplica(_Timed, SpeechReplica):
    """A synthesiser that tells them."""


def graphs(config: GraphsConfig) -> Application:
    """Build what ``graphs.app.graphs`` builds, with these two roles."""
    asr = deployment_of(TimedAsrReplica, "asr")
    speech = deployment_of(TimedSpeechReplica, "speech", max_ongoing_requests=32)
    with (
        patch("deployments.asr.asr_deployment", asr),
        patch("deployments.speech.speech_deployment", speech),
    ):
        return app.graphs(config)
