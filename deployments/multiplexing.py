"""Several models in one replica: those used last stay loaded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import LRUCache
from ray import serve
from ray.serve.exceptions import RayServeException

ModelT = TypeVar("ModelT")
Load = Callable[[str], Awaitable[ModelT]]


def multiplexed(load: Load[ModelT], most: int) -> Load[ModelT]:
    """Return a function that loads a model by its name, or finds it among those that are loaded.

    In a replica it is Serve's, which tells the routers which replica has which model. Outside of one, in Serve's local
    testing mode, there are no routers, and it only keeps the models.

    Args:
        load: A coroutine function, not a method.
        most: Models that are kept; the least recently used goes first, and ends when nobody uses it any more.
    """
    try:
        serve.get_replica_context()
    except RayServeException:
        return _Models(load, most).get
    wrapped: Load[ModelT] = serve.multiplexed(load, max_num_models_per_replica=most)
    return wrapped


class _Models(Generic[ModelT]):
    def __init__(self, load: Load[ModelT], most: int) -> None:
        self._load = load
        self._models: LRUCache[str, ModelT] = LRUCache(most)
        self._loading = asyncio.Lock()

    async def get(self, name: str) -> ModelT:
        async with self._loading:
            if name not in self._models:
                if len(self._models) == self._models.maxsize:
                    # Before the new one is loaded, so that both are never in memory at once.
                    self._models.popitem()
                self._models[name] = await self._load(name)
        return self._models[name]
