"""A bounded memory of what has been drawn."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Drawn = TypeVar("Drawn")


class DrawnStates(Generic[Drawn]):
    """Keeps what was drawn, the least recently used goes first. Safe to use from several threads at once.

    Args:
        max_bytes: How much is kept.
        size: Tells the bytes of one.
    """

    def __init__(self, max_bytes: int, size: Callable[[Drawn], int]) -> None:
        self._max_bytes, self._size = max_bytes, size
        self._kept: OrderedDict[Hashable, Drawn] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def kept_bytes(self) -> int:
        """How much is kept now."""
        return self._bytes

    def get(self, key: Hashable, draw: Callable[[], Drawn]) -> Drawn:
        """Return what is kept by a key, drawn first if there is none."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        drawn = draw()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = drawn
                self._bytes += self._size(drawn)
            while self._bytes > self._max_bytes and len(self._kept) > 1:
                self._bytes -= self._size(self._kept.popitem(last=False)[1])
        return drawn
