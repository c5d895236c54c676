"""Progress of graphs: a stream of typed events, of which the last is the result.

async with aclosing(graph.run(recording, options)) as events:
    async for event in events:
        match event:
            case Progress(fraction):
                ...
            case Transcript():
                ...
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from models.diarization import SpeakerTurn

E = TypeVar("E")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Progress:
    """Part of a recording that is done, as a fraction between 0 and 1."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Diarized:
    """Speaker turns, in order of their start; they may overlap."""

    turns: tuple[SpeakerTurn, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the speakers and turns, in seconds rounded to milliseconds."""
        return {
            "speakers": sorted({turn.speaker for turn in self.turns}),
            "turns": [
                {"start": round(turn.start, 3), "end": round(turn.end, 3), "speaker": turn.speaker}
                for turn in self.turns
            ],
        }


async def result_of(
    events: AsyncGenerator[E, None], kind: type[R], each: Callable[[E], Awaitable[None]] | None = None
) -> R:
    """Read a graph's events to their end and return the result among them.

    Args:
        events: Closed at the end, so that the graph stops when the caller is cancelled or ``each`` fails.
        kind: The result's type.
        each: Called on every other event; the next one is asked for when it has returned.

    Raises:
        RuntimeError: There was no result.
        Exception: What the graph or ``each`` raised.
    """
    result: R | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, kind):
                result = event
            elif each is not None:
                await each(event)
    if result is None:
        raise RuntimeError(f"the events ended without a {kind.__name__}")
    return result
