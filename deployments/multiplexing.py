"""Several models in one replica: those used last stay loaded."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

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
        self._most = most
        self._models: OrderedDict[str, ModelT] = OrderedDict()
        self._loading = asyncio.Lock()

    async def get(self, name: str) -> ModelT:
        async with self._loading:
            if name not in self._models:
                while len(self._models) >= self._most:
                    self._models.popitem(last=False)
                self._models[name] = await self._load(name)
        self._models.move_to_end(name)
        return self._models[name]
