"""Base of the adapters of all roles: an engine behind a bounded thread pool, with health and new settings."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, Generic, TypeVar

import structlog
from pydantic import TypeAdapter
from ray import serve
from ray.serve import Deployment

from deployments.gpu_share import assigned_gpus, take_share
from deployments.logs import configure_logs
from deployments.metrics import GpuMetrics, RoleMetrics
from deployments.user_config import fields_that_need_a_new_engine, needs_a_new_engine
from models.audio import SAMPLE_RATE
from models.errors import GpuFault, OutOfGpuMemory
from models.facts import EngineInUse, RoleName, engine_in_use
from models.gpu_share import (
    ShareExceeded,
    check_fit,
    exceeds,
    forget_locals,
    free_memory,
    is_gpu_fault,
    is_out_of_memory,
    measure,
    recoveries,
)
from models.settings import Adjustable

EngineT = TypeVar("EngineT")
ResultT = TypeVar("ResultT")

# A probe is a call of the engine: every 30 s they kept a twentieth of a core busy in a system at rest.
HEALTHY_AFTER_SUCCESS_S = 120.0
# Far longer than any one call: a whole diarization of the longest recording takes about a minute.
STUCK_AFTER_S = 900.0
# Calls that wait in one caller's process for a free replica; more are refused, and their callers told to come back.
MAX_QUEUED_CALLS = 256
_END = object()


class EngineReplica(Generic[EngineT]):
    """One engine in one replica.

    The engine is built and warmed on a real sample in the constructor, so a replica that Serve calls running can serve;
    before that, the process is held to the part of a GPU that Ray assigned to it. Blocking calls run in ``concurrency``
    threads of its own: the event loop stays free for health checks and for cancellation.

    Args:
        role: The role's name, for logs and metrics.
        settings: The engine's settings, a member of the role's union of settings.
        build: Makes an engine from settings.
        warm: Runs the engine once on real input and raises if it can't.
        concurrency: Calls that run at once; the rest wait in order.
        log_level: Least level that is logged.
        probe: Likewise, as the health check; left out, ``warm`` is.
        models: Models that the engine may have loaded at once.
        notice: Sentence on the engine that this one stands in for, for whoever uses its results.

    Raises:
        ShareExceeded: The engine does not fit into the replica's share of a GPU.
    """

    def __init__(
        self,
        role: RoleName,
        settings: Any,
        build: Callable[[Any], EngineT],
        warm: Callable[[EngineT], None],
        concurrency: int,
        log_level: str = "INFO",
        *,
        probe: Callable[[EngineT], None] | None = None,
        models: int = 1,
        notice: str | None = None,
    ) -> None:
        configure_logs(log_level)
        self._role: RoleName = role
        self._notice = notice
        self._log = structlog.get_logger().bind(role=role, engine=settings.engine)
        self._metrics = RoleMetrics(role, settings.engine)
        self._gpu_metrics = GpuMetrics(role, settings.engine)
        self._gpus = assigned_gpus()
        self._share = take_share(self._gpus, models)
        self._above_share = False
        self._recoveries = recoveries()
        self._fault: str | None = None
        self._declared = settings
        self._settings = settings
        self._build = build
        self._warm = warm
        self._probe = probe or warm
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="engine")
        self._busy = 0
        self._failing = False
        self._last_success = self._last_movement = time.monotonic()
        self.engine = self._load(settings)

    def _load(self, settings: Any) -> EngineT:
        started = time.monotonic()
        try:
            engine = self._build(settings)
            self._warm(engine)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise ShareExceeded(f"the engine runs out of GPU memory as it starts: {error}") from None
        held = check_fit()
        if self._share is not None:
            self._gpu_metrics.memory(held, self._share.bytes)
        self._log.info("engine ready", seconds=round(time.monotonic() - started, 3), gpu_bytes=held)
        return engine

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take new settings without a restart.

        Values of fields marked ``LIVE`` go to the engine as it works. The others need a new engine, which is warm
        before it replaces the old one. On a GPU there is no such replacement: two engines would be in one share.

        Args:
            user_config: Fields of the engine's settings; those left out return to what the application declares.

        Raises:
            ValidationError: A field is unknown or out of range; the replica keeps its settings.
            ValueError: The engine can't use a value, or a GPU's engine would have to be replaced; likewise.
        """
        merged = {**self._declared.model_dump(), **user_config}
        settings = TypeAdapter(type(self._declared)).validate_python(merged)
        if settings == self._settings:
            return
        if changed := fields_that_need_a_new_engine(self._settings, settings):
            if self._gpus:
                raise ValueError(needs_a_new_engine(changed))
            self.engine = await asyncio.to_thread(self._load, settings)
        elif isinstance(self.engine, Adjustable):
            await asyncio.to_thread(self.engine.adjust, settings)
        self._settings = settings
        self._log.info("engine reconfigured", fields=sorted(user_config))

    async def check_health(self) -> None:
        """Healthy after a recent success or while calls end well; else the engine must pass its probe.

        Raises:
            RuntimeError: The process has lost its GPU; or the engine is at work, and nothing has moved for
                ``STUCK_AFTER_S``.
        """
        if self._fault is not None:
            raise RuntimeError(f"the process has lost its GPU: {self._fault}")
        await self._watch_memory()
        now = time.monotonic()
        if self._busy and now - self._last_movement > STUCK_AFTER_S:
            raise RuntimeError(f"the engine is stuck: no call has ended for {STUCK_AFTER_S:.0f} s")
        if self._busy and not self._failing:
            return
        if now - self._last_success < HEALTHY_AFTER_SUCCESS_S:
            return
        await self.call(self._probe, self.engine)

    async def _watch_memory(self) -> None:
        """Show the GPU memory that the process holds, and warn when that becomes more than its share."""
        recovered, self._recoveries = self._recoveries, recoveries()
        self._gpu_metrics.ran_out(self._recoveries - recovered)
        if self._share is None:
            return
        held = await asyncio.to_thread(measure)
        self._gpu_metrics.memory(held, self._share.bytes)
        above = self._share.bounded and held is not None and held > self._share.bytes
        if above and not self._above_share:
            self._log.warning("more GPU memory than the share", reason=exceeds(held or 0, self._share))
        self._above_share = above

    async def call(self, function: Callable[..., ResultT], *args: Any, **kwargs: Any) -> ResultT:
        """Run a blocking function in the engine's threads.

        Raises:
            OutOfGpuMemory: It ran out of GPU memory; what the attempt held is free again.
            GpuFault: The process has lost its GPU; Serve replaces the replica.
            Exception: What else the function raises.
        """
        if not self._busy:
            self._last_movement = time.monotonic()
        self._busy += 1
        try:
            result = await asyncio.get_running_loop().run_in_executor(
                self._pool, copy_context().run, self._timed, lambda: function(*args, **kwargs)
            )
        except OutOfGpuMemory:
            # No sign that the engine is broken: less work may fit.
            raise
        except Exception:
            self._failing = True
            raise
        finally:
            self._busy -= 1
            self._last_movement = time.monotonic()
        self._failing = False
        self._last_success = time.monotonic()
        return result

    def _timed(self, function: Callable[[], ResultT]) -> ResultT:
        started = time.monotonic()
        try:
            return function()
        except Exception as error:
            failure = self._gpu_failure(error)
            if failure is None:
                raise
        finally:
            self._metrics.working(time.monotonic() - started)
        # Outside of the handler: nothing of the failed attempt is held any more.
        if isinstance(failure, OutOfGpuMemory):
            free_memory()
        raise failure

    def _gpu_failure(self, error: Exception) -> Exception | None:
        """Return what an error of the GPU becomes; None for any other. Callers need no GPU's library to read it."""
        if is_out_of_memory(error):
            self._gpu_metrics.ran_out(1)
            self._log.warning("out of GPU memory", reason=str(error))
            forget_locals(error)
            return OutOfGpuMemory("the engine ran out of its share of the GPU's memory")
        if is_gpu_fault(error):
            self._fault = str(error)
            self._log.error("the process has lost its GPU", reason=self._fault)
            return GpuFault("the process of the engine has lost its GPU")
        return None

    @contextmanager
    def serving(self, samples: int, correlation_id: str) -> Iterator[None]:
        """Count one call on so many samples of audio, and put its correlation id into its log lines."""
        started = time.monotonic()
        failed = True
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
        try:
            yield
            failed = False
        finally:
            self._metrics.called(samples / SAMPLE_RATE, time.monotonic() - started, failed=failed)

    async def describe(self) -> dict[str, Any]:
        """Return the engine's name and settings in force."""
        return dict(self._settings.model_dump(mode="json"))

    async def in_use(self) -> EngineInUse:
        """Describe the engine in force for callers: without paths, with what is to be said of its results."""
        return engine_in_use(self._role, self._settings, gpu=bool(self._gpus), notice=self._notice)

    async def iterate(self, make: Callable[[], Iterator[ResultT]]) -> AsyncIterator[ResultT]:
        """Run a blocking generator in the engine's threads, one step at a time; closed when the caller leaves."""
        iterator = await self.call(make)
        step: asyncio.Future[Any] | None = None
        try:
            while True:
                step = asyncio.ensure_future(self.call(next, iterator, _END))
                # A step can't be interrupted in its thread: it ends even when the caller leaves.
                item = await asyncio.shield(step)
                if item is _END:
                    return
                yield item
        finally:
            await asyncio.shield(self._close(iterator, step))

    async def _close(self, iterator: Iterator[Any], step: "asyncio.Future[Any] | None") -> None:
        if step is not None:
            await asyncio.gather(step, return_exceptions=True)
        close = getattr(iterator, "close", None)
        if close is not None:
            await self.call(close)


def deployment_of(replica: type[EngineReplica[Any]], name: str, *, max_ongoing_requests: int = 8) -> Deployment:
    """Return a role's replica class as a Serve deployment, with what is common to all roles."""
    deployment: Deployment = serve.deployment(
        name=name,
        max_ongoing_requests=max_ongoing_requests,
        max_queued_requests=MAX_QUEUED_CALLS,
        health_check_period_s=10,
        health_check_timeout_s=60,
        graceful_shutdown_timeout_s=30,
    )(replica)
    return deployment
