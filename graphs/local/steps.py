"""Progress of a start in the terminal: one line that changes, or a line for each step where nobody looks on."""

import threading
import time
from collections.abc import Callable

from rich.console import Console

_PERIOD_S = 0.5
_PLAIN_PERIOD_S = 10.0


class Steps:
    """Shows steps with the time at which each was reached, and one line of background work beside them.

    Args:
        console: Where they are shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._status = console.status("")
        self._step = ""
        self._background: Callable[[], str] = lambda: ""
        self._told = -_PLAIN_PERIOD_S
        self._line = ""
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._watch = threading.Thread(target=self._watch_background, name="steps", daemon=True)

    def __enter__(self) -> "Steps":
        self._status.start()
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()
        self._status.stop()

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._started

    def follow(self, line: Callable[[], str]) -> None:
        """Show background work beside the steps.

        Args:
            line: Returns what is being done; empty where there is nothing.
        """
        self._background = line

    def next(self, step: str) -> None:
        """Show a step, unless it is the one that is shown."""
        with self._lock:
            if step != self._step:
                self._step = step
                self._print(step)
            self._update()

    def pause(self) -> None:
        """Take the line off the terminal."""
        self._status.stop()

    def resume(self, step: str) -> None:
        """Show a line again."""
        self.next(step)
        self._status.start()

    def _watch_background(self) -> None:
        while not self._ended.wait(_PERIOD_S):
            with self._lock:
                self._update()

    def _update(self) -> None:
        line = self._background()
        self._status.update(f"{self._step}, {line}" if line else self._step)
        if self.seconds - self._told >= _PLAIN_PERIOD_S and line and line != self._line:
            self._told, self._line = self.seconds, line
            self._print(line)

    def _print(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{self.seconds:5.1f} s  {line}", highlight=False)
