"""Processes that Ray starts on a cluster's head, which a system on one machine can do without at its start.

The dashboard takes a tenth of the CPU time of the whole start, and ``ray.init`` waits for it: here it starts when it is
asked for. The log monitor sends the workers' output to the driver: with ``log_to_driver=False`` nobody reads it, and it
still reads all files of the session, again and again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private.node import Node

from graphs.ray_patches.replacement import require_method


class PostponedDashboard:
    """Ray's dashboard, which isn't started yet."""

    def __init__(self) -> None:
        self._start: Any = None
        self._over = threading.Event()

    def start(self) -> None:
        """Start the dashboard, in a thread: it comes up in seconds."""
        threading.Thread(target=self._keep, name="ray-dashboard", daemon=True).start()

    def stop(self) -> None:
        """Let go of the dashboard, before Ray stops it."""
        self._over.set()

    def _keep(self) -> None:
        if self._start is not None:
            self._start()
        # The kernel ends the dashboard together with the thread that started it (PR_SET_PDEATHSIG).
        self._over.wait()


@contextmanager
def postponed_dashboard() -> Iterator[PostponedDashboard]:
    """Keep ``ray.init`` within the block from starting the dashboard and the log monitor.

    Raises:
        RayChangedError: The installed Ray no longer starts them by the methods that are replaced here.
    """
    names = ("start_api_server", "start_log_monitor")
    for name in names:
        require_method(Node, name)
    originals = {name: getattr(Node, name) for name in names}
    postponed = PostponedDashboard()

    def start_api_server(self: Node, **options: Any) -> None:
        postponed._start = lambda: originals["start_api_server"](self, **options)

    Node.start_api_server = start_api_server  # type: ignore[method-assign]
    Node.start_log_monitor = lambda self: None  # type: ignore[method-assign]
    try:
        yield postponed
    finally:
        for name, original in originals.items():
            setattr(Node, name, original)
