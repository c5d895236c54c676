"""Division of speech into windows to embed and into finer steps to assign to speakers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.spans import Span
from models.speaker import SHORTEST_WINDOW

STEP = 0.1
"""Seconds; about how finely turns are placed."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch to embed, and the steps that its embedding speaks for."""

    span: Span
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The speech of a recording, without the pauses.

    Attributes:
        starts: Start of each step in seconds, shape [steps].
        ends: End of each step in seconds, shape [steps].
        after_pause: Whether silence lies before the step, shape [steps].
        windows: In order of time. Every step has one, unless the recording is too short for any.
    """

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    after_pause: NDArray[np.bool_]
    windows: tuple[Window, ...]


def timeline(speech: Sequence[Span], duration: float, *, window: float, hop: float) -> Timeline:
    """Lay steps and windows over speech.

    Args:
        speech: Spans in order of time that don't overlap; at least one.
        duration: Length of the recording in seconds.
        window: Length of a window in seconds; shorter in shorter speech.
        hop: From the start of one window to the start of the next, in seconds.
    """
    edges = [_edges(span) for span in speech]
    windows: list[Window] = []
    step = 0
    for span, at in zip(speech, edges, strict=True):
        for part in _parts(span, window, hop):
            first, last = (int(np.argmin(np.abs(at - time))) for time in (part.start, part.end))
            if duration >= SHORTEST_WINDOW:
                windows.append(Window(_lengthened(part, duration), step + first, step + max(last, first + 1)))
        step += len(at) - 1
    starts = np.concatenate([at[:-1] for at in edges])
    ends = np.concatenate([at[1:] for at in edges])
    after_pause = np.concatenate(([True], starts[1:] > ends[:-1]))
    return Timeline(starts, ends, after_pause, tuple(windows))


def _edges(span: Span) -> NDArray[np.float64]:
    return np.linspace(span.start, span.end, max(1, round(span.duration / STEP)) + 1)


def _parts(span: Span, window: float, hop: float) -> list[Span]:
    if span.duration <= window:
        return [span]
    # Spread evenly, so that the last window ends with the speech.
    count = int(np.ceil((span.duration - window) / hop)) + 1
    return [Span(float(s), float(s) + window) for s in np.linspace(span.start, span.end - window, count)]


def _lengthened(span: Span, duration: float) -> Span:
    """Return a window of at least the encoder's minimum length, where the recording allows it."""
    missing = max(0.0, SHORTEST_WINDOW - span.duration)
    start = max(0.0, min(span.start - missing / 2, duration - SHORTEST_WINDOW))
    end = min(duration, max(span.end, start + SHORTEST_WINDOW))
    return Span(start, end)
