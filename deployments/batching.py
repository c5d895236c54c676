"""Work of many callers gathered into batches: continuous, fair, bounded."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

from deployments.batch_bound import BatchBound
from deployments.errors import QueueFull
from deployments.metrics import BatchMetrics
from models.errors import GpuFault
from models.gpu_share import is_out_of_memory

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(eq=False)
class _Call(Generic[ItemT, ResultT]):
    """One call's items and what became of them."""

    items: Sequence[ItemT]
    costs: Sequence[float]
    caller: Hashable
    arrived: float
    done: asyncio.Future[None]
    results: list[ResultT | None] = field(init=False)
    started: int = 0
    finished: int = 0

    def __post_init__(self) -> None:
        self.results = [None] * len(self.items)

    @property
    def open(self) -> bool:
        """True while items of it have yet to start."""
        return self.started < len(self.items) and not self.done.done()


@dataclass(frozen=True)
class _Share(Generic[ItemT, ResultT]):
    """Consecutive items of one call that go into one batch."""

    call: _Call[ItemT, ResultT]
    start: int
    stop: int

    @property
    def items(self) -> Sequence[ItemT]:
        return self.call.items[self.start : self.stop]

    @property
    def cost(self) -> float:
        return sum(self.call.costs[self.start : self.stop])

    def __len__(self) -> int:
        return self.stop - self.start

    def split(self, first: int) -> "list[_Share[ItemT, ResultT]]":
        """Return its first so many items and the rest, leaving out what is empty."""
        cut = min(self.stop, self.start + max(0, first))
        parts = (_Share(self.call, self.start, cut), _Share(self.call, cut, self.stop))
        return [part for part in parts if part]

    def finish(self, results: Sequence[ResultT]) -> bool:
        """Keep the results; return whether they were the call's last."""
        call = self.call
        call.results[self.start : self.stop] = results
        call.finished += self.stop - self.start
        if call.finished < len(call.items) or call.done.done():
            return False
        call.done.set_result(None)
        return True

    def fail(self, error: Exception) -> bool:
        """End the call with an error; return whether it was still going on."""
        if self.call.done.done():
            return False
        self.call.done.set_exception(error)
        return True


class _FairQueue(Generic[ItemT, ResultT]):
    """Calls in the order of self-clocked fair queueing (Golestani, INFOCOM 1994).

    A call's tag is its cost on top of its caller's last tag, or of the clock, which is the tag of the call now served.
    So a short call passes long ones, calls of one caller keep their order, each caller gets an equal share however much
    it asks for, and no call is passed for ever. Taking one item of each caller in turn would be as fair, but would end
    the calls of all callers at once and leave the engine idle while they fetch more.
    """

    def __init__(self) -> None:
        self.cost = 0.0
        self._clock = 0.0
        self._last: dict[Hashable, float] = {}
        self._heap: list[tuple[float, int, _Call[ItemT, ResultT]]] = []
        self._numbers = count()

    def push(self, call: _Call[ItemT, ResultT]) -> None:
        cost = sum(call.costs)
        tag = max(self._clock, self._last.get(call.caller, 0.0)) + cost
        self._last[call.caller] = tag
        self.cost += cost
        heapq.heappush(self._heap, (tag, next(self._numbers), call))

    def head(self) -> _Call[ItemT, ResultT] | None:
        """Return the call whose turn it is."""
        while self._heap:
            tag, _number, call = self._heap[0]
            if call.open:
                return call
            heapq.heappop(self._heap)
            if self._last.get(call.caller) == tag:
                del self._last[call.caller]
        return None

    def take(self, most: float) -> Iterator[_Share[ItemT, ResultT]]:
        """Take items of the next calls up to a cost, but one at least."""
        room = most
        while (call := self.head()) is not None:
            start = call.started
            while call.open and (call.costs[call.started] <= room or room == most):
                room -= call.costs[call.started]
                call.started += 1
            if call.started == start:
                return
            self._clock = max(self._clock, self._heap[0][0])
            self.cost -= sum(call.costs[start : call.started])
            yield _Share(call, start, call.started)

    def drop(self, call: _Call[ItemT, ResultT]) -> None:
        """Forget the items of an ended call that have not started."""
        self.cost -= sum(call.costs[call.started :])
        call.started = len(call.items)


class Batcher(Generic[ItemT, ResultT]):
    """Gathers items of concurrent calls into batches for an engine.

    Batching is continuous: whenever the engine can take a batch, what has gathered goes, and a full batch goes at once.
    A batch that is not full is held back, by ``max_wait`` at most, in two cases only: another batch is being worked on,
    or calls have just been answered and their callers have not come back yet. An item that finds the engine idle waits
    for nothing. A call's items may travel in several batches; its results come together and in order.

    When a batch fails, each call's share of it is run once more by itself, so a bad item ends its own call alone, with
    its own error; what that call still had waiting is dropped. A batch that runs out of GPU memory is run in halves,
    and these in halves, until it fits: an item that does not fit alone ends its own call, and for a while batches stay
    smaller (see ``BatchBound``). A caller that is cancelled takes along what has not started.

    Args:
        run: Works on the items of one batch and returns as many results, in order.
        max_cost: Most that the items of one batch may cost together; an item above it travels alone.
        max_wait: Seconds; see above.
        concurrency: Batches that ``run`` is given at once.
        max_queued: Most that the items waiting may cost together.
        metrics: Told of every batch.

    Attributes:
        batches: Batches started so far.
        items: Items in them.
    """

    def __init__(
        self,
        run: Callable[[Sequence[ItemT]], Awaitable[Sequence[ResultT]]],
        *,
        max_cost: float,
        max_wait: float,
        concurrency: int,
        max_queued: float,
        metrics: BatchMetrics | None = None,
    ) -> None:
        self.max_wait = max_wait
        self.batches = 0
        self.items = 0
        self._run = run
        self._bound = BatchBound(max_cost)
        self._concurrency = concurrency
        self._max_queued = max_queued
        self._metrics = metrics
        self._queue: _FairQueue[ItemT, ResultT] = _FairQueue()
        self._running: set[asyncio.Task[None]] = set()
        self._returning = 0
        self._last_end = 0.0
        self._scheduled: asyncio.Handle | None = None

    @property
    def max_cost(self) -> float:
        """Most that the items of one batch may cost together."""
        return self._bound.most

    @max_cost.setter
    def max_cost(self, cost: float) -> None:
        if cost != self._bound.most:
            self._bound = BatchBound(cost)

    @property
    def fitting_cost(self) -> float:
        """The same, while memory is short."""
        return self._bound.now

    async def submit(
        self, items: Sequence[ItemT], *, caller: Hashable = None, cost: Callable[[ItemT], float] = lambda item: 1.0
    ) -> list[ResultT]:
        """Have items worked on.

        Args:
            items: Any number of them.
            caller: Whose work it is, for fairness; None stands for a caller of this one call.
            cost: What one item costs, in the unit of ``max_cost``.

        Returns:
            The results in the order of the items.

        Raises:
            QueueFull: With these items too much would be waiting.
        """
        if not items:
            return []
        loop = asyncio.get_running_loop()
        call: _Call[ItemT, ResultT] = _Call(
            items,
            [cost(item) for item in items],
            object() if caller is None else caller,
            loop.time(),
            loop.create_future(),
        )
        if self._queue.cost + sum(call.costs) > self._max_queued:
            raise QueueFull(f"{self._queue.cost:g} are waiting, of at most {self._max_queued:g}")
        self._queue.push(call)
        self._returning -= 1
        # Not at once: calls that arrive in the same turn of the loop travel together.
        self._schedule(None)
        try:
            await call.done
        finally:
            self._queue.drop(call)
        return call.results  # type: ignore[return-value]

    def _schedule(self, at: float | None) -> None:
        if self._scheduled is not None:
            self._scheduled.cancel()
        loop = asyncio.get_running_loop()
        # Batches belong to no one caller: none's context, with its correlation id, goes along.
        if at is None:
            self._scheduled = loop.call_soon(self._dispatch, context=Context())
        else:
            self._scheduled = loop.call_at(at, self._dispatch, context=Context())

    def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while len(self._running) < self._concurrency and (head := self._queue.head()) is not None:
            if self._queue.cost < self._bound.now:
                until = self._held_until(head)
                if loop.time() < until:
                    self._schedule(until)
                    break
            batch = list(self._queue.take(self._bound.now))
            self.batches += 1
            self.items += sum(map(len, batch))
            self._tell(batch, loop.time())
            task = loop.create_task(self._work(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _held_until(self, head: _Call[ItemT, ResultT]) -> float:
        if self._running:
            return head.arrived + self.max_wait
        return self._last_end + self.max_wait if self._returning > 0 else 0.0

    def _tell(self, batch: list[_Share[ItemT, ResultT]], now: float) -> None:
        if self._metrics is None:
            return
        for share in batch:
            if share.start == 0:
                self._metrics.waited(now - share.call.arrived)
        self._metrics.batch(_cost(batch), queued=self._queue.cost)

    async def _work(self, batch: list[_Share[ItemT, ResultT]]) -> None:
        self._returning = await self._finish(batch)
        self._last_end = asyncio.get_running_loop().time()

    async def _finish(self, batch: list[_Share[ItemT, ResultT]]) -> int:
        """Run a batch, and where it fails, what it is made of; return how many calls ended."""
        batch = [share for share in batch if not share.call.done.done()]
        if not batch:
            return 0
        try:
            return await self._attempt(batch)
        except Exception as error:
            parts = self._parts(batch, error)
            if not parts:
                return sum(share.fail(error) for share in batch)
        return sum([await self._finish(part) for part in parts])

    async def _attempt(self, batch: list[_Share[ItemT, ResultT]]) -> int:
        """Run a batch and return how many calls it ended."""
        items = [item for share in batch for item in share.items]
        results = await self._run(items)
        if len(results) != len(items):
            raise RuntimeError(f"a batch of {len(items)} gave {len(results)} results")
        self._bound.fitted(_cost(batch))
        answered, start = 0, 0
        for share in batch:
            stop = start + len(share)
            answered += share.finish(results[start:stop])
            start = stop
        return answered

    def _parts(self, batch: list[_Share[ItemT, ResultT]], error: Exception) -> list[list[_Share[ItemT, ResultT]]]:
        """Return the parts of a failed batch that are to be tried by themselves; none where that won't help."""
        if is_out_of_memory(error):
            if sum(map(len, batch)) == 1:
                return []
            self._bound.ran_out(_cost(batch))
            return _halves(batch)
        if isinstance(error, GpuFault) or len(batch) == 1:
            return []
        return [[share] for share in batch]

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._dispatch()


def _cost(batch: list[_Share[Any, Any]]) -> float:
    return sum(share.cost for share in batch)


def _halves(batch: list[_Share[ItemT, ResultT]]) -> list[list[_Share[ItemT, ResultT]]]:
    """Cut a batch of at least two items in the middle."""
    first: list[_Share[ItemT, ResultT]] = []
    second: list[_Share[ItemT, ResultT]] = []
    room = sum(map(len, batch)) // 2
    for share in batch:
        for part in share.split(room):
            (first if room > 0 else second).append(part)
            room -= len(part)
    return [first, second]
