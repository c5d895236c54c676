"""A film's frames and sound to MP4, in a thread of the film's own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphs.avatar.library import ReadyAvatar
from graphs.common.config import VideoSettings
from models.lipsync import Patches
from models.video.mark import FilmMark

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FilmFormat:
    """Format of a film.

    Attributes:
        audio_rate: Of its sound, in Hz.
        settings: The encoder's.
        mark: What it says of its origin.
        label: Whether that is drawn into the picture, too.
        sink: A seekable file that the film is written to; None for fragments.
    """

    audio_rate: int
    settings: VideoSettings
    mark: FilmMark
    label: bool
    sink: BinaryIO | None


class _Abandoned(Exception):
    """Nobody wants the rest of the film."""


class FilmEncoding:
    """Draws frames and encodes them; close it, whatever happens.

    Args:
        avatar: Whose film it is.
        format: How it is written.
    """

    def __init__(self, avatar: ReadyAvatar, format: FilmFormat) -> None:
        self._avatar, self._format = avatar, format
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="film")
        self._abandoned = threading.Event()
        self._film: _Film | None = None
        self._opened = ExitStack()

    async def write(self, sound: NDArray[np.float32], patches: Patches) -> bytes:
        """Add a shot; return the bytes that are ready, which may be none.

        Args:
            sound: Mono float32[n], ahead of the frames by a little; see ``graphs.avatar.sound.Scene``.
            patches: What moves in its frames.
        """
        return await self._in_thread(self._write, sound, patches)

    async def finish(self) -> bytes:
        """End the film; return the rest of it."""
        return await self._in_thread(self._finish)

    async def aclose(self) -> None:
        """Let go of everything; a shot that is being encoded is given up."""
        self._abandoned.set()
        closed = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(closed)

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, copy_context().run, function, *arguments)

    def _write(self, sound: NDArray[np.float32], patches: Patches) -> bytes:
        if self._film is None:
            self._film = _Film(self._avatar, self._format, self._opened)
        return self._film.write(sound, patches, self._abandoned)

    def _finish(self) -> bytes:
        assert self._film is not None, "a film has a shot"
        return self._film.finish()

    def _close(self) -> None:
        self._film = None
        self._opened.close()


class _Film:
    """A film in the making; used by one thread."""

    def __init__(self, avatar: ReadyAvatar, format: FilmFormat, opened: ExitStack) -> None:
        # Not before a film is made: OpenCV comes with them.
        from models.video.compositor import Compositor
        from models.video.footage import open_footage
        from models.video.label import label_overlay
        from models.video.mp4 import Mp4Writer

        settings = format.settings
        label = label_overlay(settings.label_text, avatar.width, avatar.height) if format.label else None
        footage = opened.enter_context(closing(open_footage(avatar.data, avatar.kind)))
        self._compositor = Compositor(footage, avatar.face, label)
        self._writer = Mp4Writer(
            avatar.width,
            avatar.height,
            format.audio_rate,
            encoder=settings.encoder,
            quality=settings.quality,
            threads=settings.threads,
            tags=format.mark.tags(),
            sink=format.sink,
        )
        opened.callback(self._writer.close)

    def write(self, sound: NDArray[np.float32], patches: Patches, abandoned: threading.Event) -> bytes:
        self._writer.write_audio(sound)
        for frame in self._compositor.draw(patches):
            if abandoned.is_set():
                raise _Abandoned
            self._writer.write_video(frame)
        return self._writer.take()

    def finish(self) -> bytes:
        return self._writer.finish()
