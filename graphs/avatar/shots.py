"""A film in shots: how long they are, when they can be cut, and how several are drawn at once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import TypeVar

import numpy as np

from graphs.avatar.sound import FilmSound, Scene
from graphs.common.concurrency import Stopwatch
from models.errors import InputError
from models.lipsync import PreparedFace
from models.speech import SpeechChunk
from models.video.mp4 import FIRST_FRAGMENT_FRAMES, FRAGMENT_FRAMES

SHOTS_AT_ONCE = 3
"""Shots of a film between their cut and their encoding."""

FIRST_SHOTS = (FIRST_FRAGMENT_FRAMES + 1, FRAGMENT_FRAMES)
SHOT = 2 * FRAGMENT_FRAMES
"""Frames of a shot: each one completes a fragment, and there is soon something to see."""

MAX_PATCH_BYTES = 32 * 1024 * 1024
"""Of one shot: large faces get shorter ones."""

T = TypeVar("T")
R = TypeVar("R")

_END = object()


def shot_lengths(face: PreparedFace) -> Iterator[int]:
    """Yield how many frames the shots of a face have, one after the other, without end."""
    sides = (face.boxes[:, 2:] - face.boxes[:, :2]).astype(np.int64)
    most = max(1, MAX_PATCH_BYTES // max(1, 3 * int(sides.prod(axis=1).max())))
    return (min(length, most) for length in chain(FIRST_SHOTS, repeat(SHOT)))


async def scenes(
    speech: AsyncIterator[SpeechChunk], lengths: Iterable[int], *, max_seconds: float, field: str, watch: Stopwatch
) -> AsyncGenerator[Scene, None]:
    """Cut speech into scenes; asks for no more of it than the next one needs.

    Args:
        speech: What is said.
        lengths: Frames of the scenes.
        max_seconds: Longest speech.
        field: What the request calls that which is said.
        watch: Times the synthesis.

    Raises:
        InputError: There is nothing to say, or too much.
    """
    sound: FilmSound | None = None
    for length in lengths:
        while sound is None or (scene := sound.cut(length)) is None:
            if sound is not None and sound.finished:
                return
            chunk = await watch.time("synthesis", anext(speech, None))
            if chunk is None and sound is None:
                raise InputError("nothing_to_say", f"The {field} has nothing that can be said.", field=field)
            if chunk is not None:
                sound = sound or FilmSound(chunk.sample_rate, max_seconds=max_seconds, field=field)
                sound.add(chunk.samples)
            elif sound is not None:
                sound.finish()
        yield scene


async def drawn_ahead(
    draw: Callable[[T], Awaitable[R]], items: AsyncGenerator[T, None], at_once: int
) -> AsyncGenerator[R, None]:
    """Call a function on items as they come and yield its results in their order, each as soon as it is there.

    Args:
        draw: Called on every item.
        items: Read in a task of its own, and only while fewer than ``at_once`` are between here and the caller, who is
            done with a result when he asks for the next one; closed at the end.
        at_once: Most items between here and the caller.

    Raises:
        Exception: What a call or the reading raises, in its place; the calls after it are cancelled.
    """
    calls: asyncio.Queue[asyncio.Future[R] | None] = asyncio.Queue()
    room = asyncio.Semaphore(at_once)

    async def read() -> None:
        while True:
            await room.acquire()
            item = await anext(items, _END)
            if item is _END:
                return
            calls.put_nowait(asyncio.ensure_future(draw(item)))  # type: ignore[arg-type]

    reading = asyncio.create_task(read())
    reading.add_done_callback(lambda _done: calls.put_nowait(None))
    call: asyncio.Future[R] | None = None
    try:
        while (call := await calls.get()) is not None:
            result = await call
            yield result
            del result
            room.release()
        await reading
    finally:
        reading.cancel()
        left = [call, *(calls.get_nowait() for _ in range(calls.qsize()))]
        stopped = [future for future in left if future is not None]
        for future in stopped:
            future.cancel()
        await asyncio.gather(reading, *stopped, return_exceptions=True)
        await items.aclose()
