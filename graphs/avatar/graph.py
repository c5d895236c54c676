"""The talking avatar: speech in, a film of somebody who says it out, from its first half second on.

async with aclosing(graph.film(avatar, speech, mark=mark, label=False, correlation_id=id)) as film:
    async for event in film:
        match event:
            case FilmData(data):
                ...
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

import structlog

from deployments.errors import RoleUnavailable
from graphs.avatar.encoding import FilmEncoding, FilmFormat
from graphs.avatar.library import ReadyAvatar
from graphs.avatar.shots import SHOTS_AT_ONCE, drawn_ahead, scenes, shot_lengths
from graphs.avatar.sound import Scene
from graphs.common.concurrency import Stopwatch
from graphs.common.config import VideoSettings
from graphs.common.roles import LipsyncRole
from models.lipsync import FRAMES_PER_SECOND, Patches
from models.speech import SpeechChunk
from models.video.mark import FilmMark

REDRAWS = 4
"""Times that a shot of a film under way is asked for again, when the role can't take it."""

_MAX_WAIT_S = 5.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FilmData:
    """The next bytes of a film, as fragmented MP4; never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class FilmProgress:
    """The length of what is encoded, in seconds; told after each shot."""

    seconds: float


@dataclass(frozen=True, slots=True)
class FilmReport:
    """The account of a complete film.

    Attributes:
        seconds: Its length.
        frames: As many pictures.
        images: Different patches that the lip-sync engine drew for them.
        shots: Calls that it did so in.
        sample_rate: Of the sound, in Hz.
        timings: Seconds: ``synthesis``, ``lipsync`` and ``encoding`` at work, side by side; ``first_fragment`` since
            the beginning, where the film is sent while it is made; ``total``.
    """

    seconds: float
    frames: int
    images: int
    shots: int
    sample_rate: int
    timings: dict[str, float]


FilmEvent = FilmData | FilmProgress | FilmReport


@dataclass(frozen=True)
class AvatarGraph:
    """Composes the lip-sync role, the compositor and the encoder; holds no state of a request.

    Args:
        lipsync: Draws the speaking face.
        settings: Of films.
    """

    lipsync: LipsyncRole
    settings: VideoSettings

    async def film(
        self,
        avatar: ReadyAvatar,
        speech: AsyncGenerator[SpeechChunk, None],
        *,
        mark: FilmMark,
        label: bool = False,
        sink: BinaryIO | None = None,
        field: str = "text",
        correlation_id: str = "",
    ) -> AsyncGenerator[FilmEvent, None]:
        """Film an avatar that says something; the stages work side by side on a few shots.

        Memory does not grow with the film: while the caller does not ask for more, nothing is encoded, drawn or said.
        Close the generator to stop all of them.

        Args:
            avatar: Who speaks.
            speech: What is said; closed at the end.
            mark: What the film says of its origin.
            label: Whether that is drawn into the picture, too.
            sink: A seekable file that the film is written to instead, as a plain MP4; must stay open until the
                generator has ended.
            field: What the request calls that which is said.
            correlation_id: Passed on to the role.

        Yields:
            After each shot its ``FilmData``, where there is no sink, and the ``FilmProgress``; last the
            ``FilmReport``.

        Raises:
            InputError: There is nothing to say, or too much.
            RoleUnavailable: The lip-sync role can't take the film, or no longer.
        """
        making = _Making(self, avatar, mark, label, sink, correlation_id)
        try:
            cut = scenes(
                speech,
                shot_lengths(avatar.face),
                max_seconds=self.settings.max_seconds,
                field=field,
                watch=making.watch,
            )
            # In the reverse order, so that the encoder's thread stops at once.
            async with aclosing(drawn_ahead(making.draw, cut, SHOTS_AT_ONCE)) as drawn, aclosing(making):
                async for shot in drawn:
                    if data := await making.encode(shot):
                        yield FilmData(data)
                    yield FilmProgress(making.seconds)
                data, report = await making.finish()
                if data:
                    yield FilmData(data)
                yield report
        finally:
            await speech.aclose()


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A scene and its picture."""

    scene: Scene
    patches: Patches


class _Making:
    """The state of one film."""

    def __init__(
        self,
        graph: AvatarGraph,
        avatar: ReadyAvatar,
        mark: FilmMark,
        label: bool,
        sink: BinaryIO | None,
        correlation_id: str,
    ) -> None:
        self.watch = Stopwatch()
        self._graph, self._avatar = graph, avatar
        self._mark, self._label, self._sink = mark, label, sink
        self._correlation_id = correlation_id
        self._encoding: FilmEncoding | None = None
        self._began = time.monotonic()
        self._first_fragment: float | None = None
        self._frames = self._images = self._shots = self._sample_rate = 0

    async def draw(self, scene: Scene) -> _Drawn:
        """Have a scene drawn; a film under way waits for a role that has too much to do."""
        redraws = REDRAWS if scene.shot.first else 0
        while True:
            try:
                patches = await self.watch.time(
                    "lipsync",
                    self._graph.lipsync.animate(self._avatar.shared, scene.shot, correlation_id=self._correlation_id),
                )
                return _Drawn(scene, patches)
            except RoleUnavailable as error:
                if not redraws:
                    raise
                redraws -= 1
                _log.warning("a shot waits for the lip-sync role", reason=str(error), first=scene.shot.first)
                await asyncio.sleep(min(error.retry_after, _MAX_WAIT_S))

    async def encode(self, drawn: _Drawn) -> bytes:
        """Add a drawn scene to the film."""
        scene, patches = drawn.scene, drawn.patches
        if len(patches.order) != scene.shot.count:
            raise RuntimeError(f"a shot of {scene.shot.count} frames came back with {len(patches.order)}")
        if self._encoding is None:
            film = FilmFormat(scene.sample_rate, self._graph.settings, self._mark, self._label, self._sink)
            self._encoding = FilmEncoding(self._avatar, film)
            self._sample_rate = scene.sample_rate
        data = await self.watch.time("encoding", self._encoding.write(scene.sound, patches))
        self._shots += 1
        self._frames += scene.shot.count
        self._images += len(patches.images)
        self._sent(data)
        return data

    async def finish(self) -> tuple[bytes, FilmReport]:
        """End the film; return the rest of it and the report."""
        assert self._encoding is not None, "without a scene there is an error"
        data = await self.watch.time("encoding", self._encoding.finish())
        self._sent(data)
        return data, self._report()

    async def aclose(self) -> None:
        """Let go of the encoder."""
        if self._encoding is not None:
            await self._encoding.aclose()

    def _sent(self, data: bytes) -> None:
        if data and self._first_fragment is None:
            self._first_fragment = self._age

    @property
    def seconds(self) -> float:
        """Length of what is encoded."""
        return self._frames / FRAMES_PER_SECOND

    @property
    def _age(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _report(self) -> FilmReport:
        first = {"first_fragment": self._first_fragment} if self._first_fragment is not None else {}
        return FilmReport(
            seconds=self.seconds,
            frames=self._frames,
            images=self._images,
            shots=self._shots,
            sample_rate=self._sample_rate,
            timings={**self.watch.timings, **first, "total": self._age},
        )
