"""Cache of values that are slow to make, bounded in bytes; each is made once however many ask for it at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import LRUCache

MadeT = TypeVar("MadeT")


class Memory(Generic[MadeT]):
    """Keeps what was last used.

    Args:
        max_bytes: How much it may take together; what takes more by itself is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._kept: LRUCache[str, tuple[MadeT, int]] = LRUCache(max_bytes, lambda kept: kept[1])
        self._making: dict[str, asyncio.Task[MadeT]] = {}

    async def get(self, key: str, maker: str, make: Callable[[], Awaitable[tuple[MadeT, int]]]) -> MadeT:
        """Return what is kept under a key, else what ``make`` returns, which is kept from then on.

        A caller who leaves does not end what others may wait for, and the next one finds it done.

        Args:
            key: What is wanted.
            maker: Callers who name the same one share a making; its failure is no other's.
            make: Returns it and how many bytes it takes.
        """
        if key in self._kept:
            return self._kept[key][0]
        making = self._making.get(maker)
        if making is None:
            making = self._making[maker] = asyncio.create_task(self._make(key, make))
            making.add_done_callback(lambda _task: self._making.pop(maker))
        return await asyncio.shield(making)

    async def _make(self, key: str, make: Callable[[], Awaitable[tuple[MadeT, int]]]) -> MadeT:
        made, size = await make()
        if size <= self._kept.maxsize:
            self._kept[key] = made, size
        return made
