"""Estimate of how much of a reply a client has played, and a limit on how far ahead of that the service sends."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LEAD_SECONDS = 5.0
"""Audio is sent so far ahead of its playing: what is not sent needs no taking back when the user interrupts."""

_MAX_CLAUSES = 1000


class Playback:
    """The playing of one reply, by a client that plays audio as it comes.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent = 0.0
        self._ends = 0.0
        self._clauses: deque[tuple[float, str]] = deque(maxlen=_MAX_CLAUSES)

    def sent(self, seconds: float, text: str) -> None:
        """Note that audio was sent; ``text`` is the clause that begins with it."""
        if text:
            self._clauses.append((self._sent, text))
        self._ends = max(self._ends, self._clock()) + seconds
        self._sent += seconds

    @property
    def remaining(self) -> float:
        """Seconds of audio that were sent and not heard yet."""
        return max(0.0, self._ends - self._clock())

    @property
    def heard(self) -> float:
        """Seconds of audio that were heard."""
        return max(0.0, self._sent - self.remaining)

    @property
    def heard_text(self) -> str:
        """The clauses that have begun to be heard."""
        heard = self.heard
        return " ".join(text for begins, text in self._clauses if begins < heard)

    async def room(self) -> None:
        """Wait until more audio may be sent."""
        await asyncio.sleep(max(0.0, self.remaining - LEAD_SECONDS))
