"""Films that an ingress replica streams while they are made: places for them, and what becomes of each."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import structlog

from deployments.errors import RoleUnavailable
from graphs.avatar.graph import AvatarGraph, FilmData, FilmEvent, FilmReport
from graphs.avatar.library import ReadyAvatar
from models.errors import InputError
from models.speech import SpeechChunk
from models.video.mark import FilmMark

PIECES_AHEAD = 2
"""Pieces of a film that may wait for its client; everything stops until they are taken."""

_RETRY_AFTER_S = 5.0
_log = structlog.get_logger()


class TooManyFilms(RoleUnavailable):
    """Error of a film that finds all places taken."""

    code = "too_many_films"
    detail = "As many films are being made as there is room for; try again."

    def __init__(self, places: int) -> None:
        super().__init__(f"{places} films are being made", retry_after=_RETRY_AFTER_S)


class FilmMetrics(Protocol):
    """Counts streamed films; see ``graphs.http.observability.film_metrics``."""

    def started(self, open: int) -> None:
        """Count a film that begins, and how many there are now."""
        ...

    def complete(self, report: FilmReport) -> None:
        """Count what a film consists of."""
        ...

    def ended(self, status: str, open: int) -> None:
        """Count the end of a film, by how (complete, failed, or left by the client), and how many there are now."""
        ...


class FilmStreams:
    """The films of one ingress replica.

    Args:
        graph: Makes them.
        metrics: Told of every film.
    """

    def __init__(self, graph: AvatarGraph, metrics: FilmMetrics) -> None:
        self.graph = graph
        self.settings = graph.settings
        self._metrics = metrics
        self._open = 0

    def check_place(self) -> None:
        """Refuse a film early, before anything was done for it.

        Raises:
            TooManyFilms: As many are being made as there are places.
        """
        if self._open >= self.settings.max_films:
            raise TooManyFilms(self.settings.max_films)

    async def begin(
        self,
        avatar: ReadyAvatar,
        speech: AsyncGenerator[SpeechChunk, None],
        *,
        mark: FilmMark,
        label: bool = False,
        field: str = "text",
        correlation_id: str,
    ) -> "FilmStream":
        """Begin a film and wait for its first bytes, so that what is wrong with the request has shown.

        The film goes on by itself, a few pieces ahead of its client. What it fails with later is logged and raised to
        whoever reads it.

        Args:
            avatar: Who speaks.
            speech: What is said; closed at the end.
            mark: What the film says of its origin.
            label: Whether that is drawn into the picture, too.
            field: What the request calls that which is said.
            correlation_id: For the role, and for the log.

        Raises:
            TooManyFilms: There is no place for it.
            InputError: There is nothing to say, or too much.
            RoleUnavailable: A role can't take it.
        """
        self.check_place()
        events = self.graph.film(avatar, speech, mark=mark, label=label, field=field, correlation_id=correlation_id)
        self._open += 1
        self._metrics.started(self._open)
        film = FilmStream(self._data(events), correlation_id)
        film.running.add_done_callback(self._ended)
        try:
            await film.wait_for_first()
        except BaseException:
            film.close()
            raise
        return film

    async def _data(self, events: AsyncGenerator[FilmEvent, None]) -> AsyncGenerator[bytes, None]:
        """Yield a film's bytes; count the film when it is complete."""
        async with aclosing(events):
            async for event in events:
                match event:
                    case FilmData(data):
                        yield data
                    case FilmReport():
                        self._metrics.complete(event)
                        _log.info("film complete", seconds=event.seconds, shots=event.shots, timings=event.timings)

    def _ended(self, running: asyncio.Task[None]) -> None:
        self._open -= 1
        if running.cancelled():
            status = "left"
        else:
            status = "complete" if running.exception() is None else "failed"
        self._metrics.ended(status, self._open)


class FilmStream:
    """A film in the making; close it, or read it to its end.

    Attributes:
        running: The task that makes it; it ends when all of it is made and fits what may wait.
    """

    def __init__(self, film: AsyncGenerator[bytes, None], correlation_id: str) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(PIECES_AHEAD)
        self._first: bytes | None = None
        self._correlation_id = correlation_id
        self._reading = False
        # A task of its own: a server cancels whatever serves a client that has left, its cleaning up included.
        self.running = asyncio.create_task(self._make(film))
        self.running.add_done_callback(lambda _done: self._pieces.put_nowait(None))

    async def _make(self, film: AsyncGenerator[bytes, None]) -> None:
        try:
            async with aclosing(film):
                async for data in film:
                    await self._room.acquire()
                    self._pieces.put_nowait(data)
        except Exception as error:
            if self._reading:
                self._tell(error)
            raise

    def _tell(self, error: Exception) -> None:
        expected = isinstance(error, InputError | RoleUnavailable)
        _log.log(
            logging.WARNING if expected else logging.ERROR,
            "film broken off",
            reason=str(error),
            correlation_id=self._correlation_id,
            exc_info=None if expected else error,
        )

    async def wait_for_first(self) -> None:
        """Wait for the film's first bytes; raises what comes in their place."""
        self._first = await self._pieces.get()
        if self._first is None:
            await self.running
        self._reading = True

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the film; closes it."""
        try:
            piece = self._first
            while piece is not None:
                self._room.release()
                yield piece
                piece = await self._pieces.get()
            await self.running
        finally:
            self.close()

    def close(self) -> None:
        """Stop making it; what that takes goes on behind the caller's back."""
        self.running.cancel()
