"""Knowing that Serve is about to stop a replica.

Serve waits for a replica's requests to end before it tells the application anything, and kills it when they take too
long: a WebSocket that nobody closes would be cut in mid-word. So the beginning of that wait is listened to.
"""

from collections.abc import Callable
from typing import Any

from ray.serve._private import replica


def on_drain(callback: Callable[[], None]) -> None:
    """Have a callback called, in Serve's own thread, when this process's replica begins to drain."""
    drain = replica.Replica._drain_ongoing_requests

    async def told(self: Any, *args: Any, **options: Any) -> None:
        callback()
        await drain(self, *args, **options)

    replica.Replica._drain_ongoing_requests = told  # type: ignore[method-assign]
