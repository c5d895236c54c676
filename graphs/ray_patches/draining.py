"""Notice that Serve is about to stop a replica.

Serve waits for a replica's requests to end before it tells the application anything, and kills it when they take too
long: a WebSocket that nobody closes would be cut in mid-word. So the beginning of that wait is listened to.
"""

from collections.abc import Callable
from typing import Any

from ray.serve._private import replica

from graphs.ray_patches.replacement import require_method


def on_drain(callback: Callable[[], None]) -> None:
    """Have a callback called, in Serve's own thread, when this process's replica begins to drain.

    Raises:
        RayChangedError: The installed Ray no longer drains a replica by the method that is changed here.
    """
    require_method(replica.Replica, "_drain_ongoing_requests")
    drain = replica.Replica._drain_ongoing_requests

    async def call_and_drain(self: Any, *args: Any, **options: Any) -> None:
        callback()
        await drain(self, *args, **options)

    replica.Replica._drain_ongoing_requests = call_and_drain  # type: ignore[method-assign]
