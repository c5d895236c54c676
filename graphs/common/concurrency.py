"""Concurrency of graphs: stages side by side, calls in order with some in flight, threads, and the time of stages."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

import structlog
from anyio import create_memory_object_stream
from anyio.streams.memory import MemoryObjectSendStream

EVENTS_AHEAD = 16
"""Events of concurrent stages that may wait for their reader; the stages stop until they are taken."""

T = TypeVar("T")
R = TypeVar("R")

_END = object()
_log = structlog.get_logger()


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


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Close a role's stream when its reader leaves early, where it can be closed."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()


async def merged(*streams: AsyncGenerator[T, None], ahead: int = EVENTS_AHEAD) -> AsyncGenerator[T, None]:
    """Read several streams at the same time and yield their items as they come, each stream's in its own order.

    Close the generator (``contextlib.aclosing``) to stop all streams.

    Args:
        streams: Each is read, and closed at the end, in a task of its own.
        ahead: Most items that wait for the caller, besides one more of each stream; reading stops until they are taken.

    Raises:
        Exception: What a stream raises, after the items that came before it; the other streams are stopped.
    """
    send, receive = create_memory_object_stream[T](ahead)
    running = asyncio.create_task(_read_all(streams, send))
    left_early = True
    with receive:
        try:
            async for item in receive:
                yield item
            left_early = False
            await running
        except BaseExceptionGroup as failures:
            raise root_cause(failures) from failures
        finally:
            running.cancel()
            await asyncio.wait([running])
            if left_early and not running.cancelled() and (error := running.exception()) is not None:
                _log.warning("a stage failed whose reader has left", exc_info=error)


async def _read_all(streams: Sequence[AsyncGenerator[T, None]], send: MemoryObjectSendStream[T]) -> None:
    async def read(stream: AsyncGenerator[T, None]) -> None:
        async with aclosing(stream):
            async for item in stream:
                await send.send(item)

    with send:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(read(stream)) for stream in streams]
        for task in tasks:
            # A task group takes a task that was cancelled from elsewhere for one that is done.
            task.result()


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
