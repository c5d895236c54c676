"""Base of the adapters of roles that work in batches: a batcher over the engine, and its settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import NonNegativeFloat, PositiveInt, TypeAdapter

from deployments.batching import Batcher
from deployments.metrics import BatchMetrics
from deployments.replica import EngineReplica, EngineT
from models.facts import RoleName
from models.gpu_share import retry_once

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_MILLISECONDS = TypeAdapter(NonNegativeFloat)
_SIZE = TypeAdapter(PositiveInt)


class BatchedReplica(EngineReplica[EngineT], Generic[EngineT, ItemT, ResultT]):
    """One engine in one replica, given the items of all callers in shared batches.

    Args:
        role: The role's name, for logs and metrics.
        settings: The engine's settings.
        build: Makes an engine from settings.
        warm: Runs the engine once on real input and raises if it can't.
        work: Runs the engine on a batch, in one of its threads.
        size_field: What the role calls the next one, in ``user_config`` and in its description.
        max_batch_cost: Most that the items of a batch cost together.
        max_queued_cost: Most that the waiting items cost together.
        batch_wait_ms: How long a batch that is not full may be held back; see ``deployments.batching.Batcher``.
        concurrency: Batches that the engine works on at once.
        log_level: Least level that is logged.
        probe: See ``EngineReplica``.
        notice: Likewise.
    """

    def __init__(
        self,
        role: RoleName,
        settings: Any,
        build: Callable[[Any], EngineT],
        warm: Callable[[EngineT], None],
        work: Callable[[Sequence[ItemT]], Sequence[ResultT]],
        *,
        size_field: str,
        max_batch_cost: int,
        max_queued_cost: float,
        batch_wait_ms: float,
        concurrency: int,
        log_level: str,
        probe: Callable[[EngineT], None] | None = None,
        notice: str | None = None,
    ) -> None:
        super().__init__(role, settings, build, warm, concurrency, log_level, probe=probe, notice=notice)
        self._work = work
        self._size_field = size_field
        self._declared_size = max_batch_cost
        self._declared_wait_ms = batch_wait_ms
        self._batcher: Batcher[ItemT, ResultT] = Batcher(
            self._run,
            max_cost=max_batch_cost,
            max_wait=batch_wait_ms / 1000,
            concurrency=concurrency,
            max_queued=max_queued_cost,
            metrics=BatchMetrics(role, settings.engine),
        )

    async def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Take new settings: those of the engine, the largest batch and ``batch_wait_ms``.

        Raises:
            ValidationError: A field is unknown or out of range; the replica keeps its settings.
            ValueError: See ``EngineReplica``.
        """
        fields = dict(user_config)
        wait_ms = _MILLISECONDS.validate_python(fields.pop("batch_wait_ms", self._declared_wait_ms))
        size = _SIZE.validate_python(fields.pop(self._size_field, self._declared_size))
        await super().reconfigure(fields)
        self._batcher.max_wait = wait_ms / 1000
        self._batcher.max_cost = size

    async def describe(self) -> dict[str, Any]:
        """Return the settings in force, and how many batches there were so far.

        ``fitting_batch`` is what a batch may cost now: less than the most after the engine ran out of GPU memory.
        """
        return {
            **await super().describe(),
            self._size_field: self._batcher.max_cost,
            "fitting_batch": self._batcher.fitting_cost,
            "batch_wait_ms": 1000 * self._batcher.max_wait,
            "batches": self._batcher.batches,
        }

    async def _run(self, items: Sequence[ItemT]) -> Sequence[ResultT]:
        if len(items) == 1:
            # No smaller batch is left to try.
            return await self.call(retry_once, self._work, items)
        return await self.call(self._work, items)
