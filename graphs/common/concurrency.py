"""What graphs share: stages that run side by side, calls in order with some in flight, threads, and their time."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = object()


class Stopwatch:
    """Seconds during which each stage was at work: calls of one stage that overlap count once.

    Every stage must be timed from one thread at a time.
    """

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._running: Counter[str] = Counter()
        self._since: dict[str, float] = {}

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        """Time the block as work of a stage."""
        if not self._running[stage]:
            self._since[stage] = time.monotonic()
        self._running[stage] += 1
        try:
            yield
        finally:
            self._running[stage] -= 1
            if not self._running[stage]:
                self._seconds[stage] = self._seconds.get(stage, 0.0) + time.monotonic() - self._since[stage]

    async def time(self, stage: str, work: Awaitable[T]) -> T:
        """Time an awaitable as work of a stage."""
        with self.running(stage):
            return await work

    @property
    def timings(self) -> dict[str, float]:
        """Seconds by stage."""
        return {stage: round(seconds, 3) for stage, seconds in self._seconds.items()}


def root_cause(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first exception of a task group, which is what stopped the others."""
    first = failures.exceptions[0]
    return root_cause(first) if isinstance(first, BaseExceptionGroup) else first


async def in_thread(iterator: Iterator[T]) -> AsyncGenerator[T, None]:
    """Run a blocking generator step by step in a thread of its own; closed there when the caller leaves."""
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(1, thread_name_prefix="stage")
    context = copy_context()
    step: asyncio.Future[Any] | None = None

    def advance() -> Any:
        return next(iterator, _END)

    try:
        while True:
            step = loop.run_in_executor(executor, context.run, advance)
            # A step can't be interrupted in its thread: it ends even when the caller leaves.
            item = await asyncio.shield(step)
            if item is _END:
                return
            yield item
    finally:
        if step is not None:
            await asyncio.shield(asyncio.gather(step, return_exceptions=True))
        close = getattr(iterator, "close", None)
        if close is not None:
            await asyncio.shield(loop.run_in_executor(executor, context.run, close))
        executor.shutdown(wait=False)


async def in_order(
    function: Callable[[T], Awaitable[R]], items: AsyncIterator[T], at_once: int
) -> AsyncGenerator[R, None]:
    """Call a function on items as they come and yield its results in their order.

    Args:
        function: Called on every item.
        items: Asked for the next one only while fewer than ``at_once`` calls are in flight.
        at_once: Most calls in flight.

    Raises:
        Exception: What a call raises, in its place; the calls after it are cancelled.
    """
    calls: deque[asyncio.Future[R]] = deque()
    try:
        async for item in items:
            calls.append(asyncio.ensure_future(function(item)))
            while len(calls) >= at_once or (calls and calls[0].done()):
                yield await calls.popleft()
        while calls:
            yield await calls.popleft()
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
