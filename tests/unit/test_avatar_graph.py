"""Films of speaking avatars: their sound, their shots, their order, and what becomes of them when something fails."""

import asyncio
import io
import math
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from anyio import wait_all_tasks_blocked
from avatar_films import RATE, SIDE, Speech, decoded, ready_avatar, syllables
from fake_roles import FakeLipsync
from numpy.typing import NDArray
from structlog.testing import capture_logs

from deployments.errors import RoleUnavailable
from graphs.avatar.graph import REDRAWS, AvatarGraph, FilmData, FilmEvent, FilmProgress, FilmReport
from graphs.avatar.shots import FIRST_SHOTS, MAX_PATCH_BYTES, SHOT, SHOTS_AT_ONCE, drawn_ahead, scenes, shot_lengths
from graphs.avatar.sound import CLOSING_SILENCE_S, DEFAULT_LOUDNESS, Loudness, Scene
from graphs.avatar.streams import PIECES_AHEAD, FilmStream, FilmStreams, TooManyFilms
from graphs.common.concurrency import Stopwatch
from graphs.common.config import VideoSettings
from graphs.http.observability.film_metrics import RayFilmMetrics
from models.audio import SAMPLE_RATE
from models.errors import InputError
from models.lipsync import CONTEXT_AFTER_S, CONTEXT_BEFORE_S, FRAMES_PER_SECOND, PreparedFace
from models.video import mp4
from models.video.mark import FilmMark

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

MARK = FilmMark("fake-1", "fake", "anna")
PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND


async def cut(speech: Speech, max_seconds: float = 600.0, lengths: tuple[int, ...] = (13, *[25] * 1000)) -> list[Scene]:
    stream = speech.stream()
    found = scenes(stream, lengths, max_seconds=max_seconds, field="text", watch=Stopwatch())
    return [scene async for scene in found]


def resampled(samples: NDArray[Any], rate: int) -> NDArray[Any]:
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE)
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
    frame.sample_rate = rate
    return np.concatenate([out.to_ndarray()[0] for part in (frame, None) for out in resampler.resample(part)])


def frames_of(seconds: float) -> int:
    return math.ceil((seconds + CLOSING_SILENCE_S) * FRAMES_PER_SECOND - 1e-6)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100])
async def test_shots_cover_every_frame_once_and_hear_what_is_around_them(rate: int) -> None:
    samples = syllables(6.37, rate)
    found = await cut(Speech(samples, rate, chunks=(1, 7, rate * 2, rate // 3)))
    frames = frames_of(6.37)
    assert [scene.shot.first for scene in found] == [0, *np.cumsum([scene.shot.count for scene in found])[:-1]]
    assert sum(scene.shot.count for scene in found) == frames
    heard = np.zeros(frames * PER_FRAME, np.float32)
    truth = resampled(samples, rate)
    heard[: len(truth)] = truth
    for scene in found:
        shot = scene.shot
        begin = max(0, shot.first * PER_FRAME - round(CONTEXT_BEFORE_S * SAMPLE_RATE))
        end = min(len(heard), (shot.first + shot.count) * PER_FRAME + round(CONTEXT_AFTER_S * SAMPLE_RATE))
        assert (shot.offset, shot.offset + len(shot.pcm)) == (begin, end)
        np.testing.assert_allclose(shot.pcm, heard[begin:end], atol=1e-4)
        if shot.last:
            assert end == len(heard)
    assert found[-1].shot.last
    sound = np.concatenate([scene.sound for scene in found])
    assert len(sound) == round(frames * rate / FRAMES_PER_SECOND)
    np.testing.assert_array_equal(sound[: len(samples)], samples)
    assert not sound[len(samples) :].any()


async def test_what_a_shot_hears_does_not_depend_on_how_the_speech_comes() -> None:
    samples = syllables(4.0)
    whole, dripping = [await cut(Speech(samples, chunks=(length,))) for length in (len(samples), 331)]
    for one, other in zip(whole, dripping, strict=True):
        assert (one.shot.first, one.shot.offset, one.shot.last) == (
            other.shot.first,
            other.shot.offset,
            other.shot.last,
        )
        np.testing.assert_allclose(one.shot.pcm, other.shot.pcm, atol=1e-6)


async def test_no_more_is_said_than_the_next_shot_needs() -> None:
    speech = Speech(syllables(20.0), chunks=(RATE // 25,))
    stream = speech.stream()
    found = scenes(stream, (13, 25), max_seconds=600, field="text", watch=Stopwatch())
    await anext(found)
    assert speech.said <= 13 + CONTEXT_AFTER_S * FRAMES_PER_SECOND + 2
    await found.aclose()
    await stream.aclose()


async def test_a_film_that_would_be_too_long_names_the_limit() -> None:
    with pytest.raises(InputError, match="5 s") as refusal:
        await cut(Speech(syllables(5.2)), max_seconds=5.0)
    assert (refusal.value.code, refusal.value.field) == ("too_long", "text")
    assert await cut(Speech(syllables(5.0)), max_seconds=5.0)


@pytest.mark.parametrize("speech", [Speech(syllables(0.0)), Speech(np.zeros(0, np.float32), chunks=(0,))])
async def test_without_a_sound_there_is_nothing_to_film(speech: Speech) -> None:
    with pytest.raises(InputError) as refusal:
        await cut(speech)
    assert refusal.value.code == "nothing_to_say"


def test_loudness_is_that_of_the_loud_parts_and_changes_slowly() -> None:
    loudness = Loudness()
    assert loudness.level == DEFAULT_LOUDNESS
    tone = (0.1 * np.sqrt(2) * np.sin(np.arange(SAMPLE_RATE) * 0.3)).astype(np.float32)
    for piece in np.array_split(np.concatenate([tone, np.zeros(5 * SAMPLE_RATE, np.float32)]), 37):
        loudness.add(piece)
    assert loudness.level == pytest.approx(-20.0, abs=0.6)
    loudness.add(np.tile(tone * 5, 30))
    assert loudness.level == pytest.approx(-19.0, abs=0.6)
    for _ in range(20):
        level = loudness.level
    assert level == pytest.approx(-6.0, abs=0.6)


def test_shots_of_large_faces_are_shorter_but_never_empty() -> None:
    def lengths(side: int) -> list[int]:
        face = PreparedFace(np.array([[0, 0, side, side]], np.int32), np.zeros((1, 1), np.uint8), 1, {})
        found = shot_lengths(face)
        return [next(found) for _ in range(4)]

    assert lengths(100) == [*FIRST_SHOTS, SHOT, SHOT]
    large = lengths(1000)
    assert max(large) * 1000 * 1000 * 3 <= MAX_PATCH_BYTES
    assert lengths(60_000) == [1, 1, 1, 1]


class Gate:
    """Holds shots back until they are let go, one by one or all."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Event] = []
        self.open = False

    async def __call__(self) -> None:
        if not self.open:
            self.waiting.append(asyncio.Event())
            await self.waiting[-1].wait()

    def let_all_go(self) -> None:
        self.open = True
        for event in self.waiting:
            event.set()


async def numbers(count: int, read: list[int]) -> AsyncIterator[int]:
    for number in range(count):
        read.append(number)
        yield number


async def test_results_come_in_order_each_as_soon_as_it_is_there() -> None:
    done = [asyncio.get_running_loop().create_future() for _ in range(5)]
    held = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        for number in range(5):
            if number == 2:
                await held.wait()
            yield number

    async def call(number: int) -> int:
        await done[number]
        return number

    stream: Any = items()
    async with aclosing(drawn_ahead(call, stream, 3)) as results:
        done[1].set_result(None)
        first = asyncio.ensure_future(anext(results))
        await wait_all_tasks_blocked()
        assert not first.done()
        done[0].set_result(None)
        # The third item is not there yet, and nobody waits for it.
        assert [await first, await anext(results)] == [0, 1]
        held.set()
        for future in done[2:]:
            future.set_result(None)
        assert [result async for result in results] == [2, 3, 4]


async def test_so_many_items_are_under_way_and_no_more() -> None:
    read: list[int] = []

    async def call(number: int) -> int:
        return number

    stream: Any = numbers(100, read)
    async with aclosing(drawn_ahead(call, stream, 3)) as results:
        assert await anext(results) == 0
        await wait_all_tasks_blocked()
        assert read == [0, 1, 2]
        assert await anext(results) == 1
        await wait_all_tasks_blocked()
        assert read == [0, 1, 2, 3]


def graph(role: FakeLipsync, **settings: Any) -> AvatarGraph:
    return AvatarGraph(role, VideoSettings(threads=1, **settings))


def no_threads_are_left() -> bool:
    for thread in threading.enumerate():
        if thread.name.startswith("film"):
            thread.join(5)
    return not [thread for thread in threading.enumerate() if thread.name.startswith("film")]


async def test_sound_and_picture_are_in_step_and_end_together() -> None:
    role, speech = FakeLipsync(), Speech(syllables(3.0))
    events = [event async for event in graph(role).film(ready_avatar(), speech.stream(), mark=MARK)]
    film = decoded(data_of(events))
    frames = frames_of(3.0)
    assert len(film.mouth) == frames
    np.testing.assert_allclose(film.times, np.arange(frames) / FRAMES_PER_SECOND, atol=1e-4)
    assert len(film.sound) / film.sound_rate == pytest.approx(frames / FRAMES_PER_SECOND, abs=0.03)
    heard = np.array(film.loud) > 0.2
    seen = np.array(film.mouth) > 128
    assert (heard == seen).mean() > 0.97
    assert not seen[-5:].any()
    assert "Synthetic video" in film.tags["comment"]
    report = events[-1]
    assert isinstance(report, FilmReport)
    assert (report.frames, report.seconds, report.shots) == (frames, frames / FRAMES_PER_SECOND, len(role.shots))
    assert 0 < report.images < frames / 2
    assert {"synthesis", "lipsync", "encoding", "first_fragment", "total"} == set(report.timings)
    assert speech.closed
    assert no_threads_are_left()


async def test_the_film_begins_when_its_first_shot_is_drawn() -> None:
    gate = Gate()
    role = FakeLipsync(before=gate)
    async with aclosing(graph(role).film(ready_avatar(), Speech(syllables(8)).stream(), mark=MARK)) as film:
        first = asyncio.ensure_future(anext(film))
        await wait_all_tasks_blocked()
        assert len(gate.waiting) == SHOTS_AT_ONCE
        gate.waiting[0].set()
        # Without its bytes the film would wait for the second shot, which never comes.
        begun = await asyncio.wait_for(first, 30)
    assert isinstance(begun, FilmData)
    assert begun.data[4:8] == b"ftyp"
    assert b"moof" in begun.data
    assert no_threads_are_left()


async def test_shots_that_are_ready_early_wait_for_those_before_them() -> None:
    gate = Gate()
    role = FakeLipsync(before=gate)
    collecting = asyncio.ensure_future(whole(graph(role), Speech(syllables(2))))
    await wait_all_tasks_blocked()
    for event in reversed(gate.waiting):
        event.set()
        await wait_all_tasks_blocked()
    gate.let_all_go()
    straight = await whole(graph(FakeLipsync()), Speech(syllables(2)))
    assert decoded(await collecting).mouth == decoded(straight).mouth


async def whole(graph: AvatarGraph, speech: Speech) -> bytes:
    film = graph.film(ready_avatar(), speech.stream(), mark=MARK)
    return data_of([event async for event in film])


def data_of(events: Sequence[FilmEvent]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, FilmData))


async def test_a_caller_who_does_not_read_stops_everything_within_a_few_shots() -> None:
    role, speech = FakeLipsync(), Speech(syllables(120.0))
    async with aclosing(graph(role).film(ready_avatar(), speech.stream(), mark=MARK)) as film:
        await anext(film)
        await wait_all_tasks_blocked()
        assert len(role.shots) <= SHOTS_AT_ONCE + 1
        said = speech.said * 2205 / RATE
        ahead = sum(FIRST_SHOTS) + (SHOTS_AT_ONCE - 1) * SHOT
        assert said < ahead / FRAMES_PER_SECOND + CONTEXT_AFTER_S + 0.5
    assert speech.closed
    assert no_threads_are_left()


async def test_a_caller_who_leaves_stops_the_speech_the_shots_and_the_encoder() -> None:
    gate = Gate()
    role, speech = FakeLipsync(before=gate), Speech(syllables(60.0))
    film = graph(role).film(ready_avatar(), speech.stream(), mark=MARK)
    waiting = asyncio.ensure_future(anext(film))
    await wait_all_tasks_blocked()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (role.drawing, role.cancelled) == (0, SHOTS_AT_ONCE)
    assert speech.closed
    assert no_threads_are_left()


async def test_an_encoding_that_nobody_waits_for_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, left = threading.Event(), threading.Event()
    written: list[object] = []

    def write(self: object, frame: object) -> None:
        written.append(frame)
        begun.set()
        assert left.wait(10)

    monkeypatch.setattr(mp4.Mp4Writer, "write_video", write)
    film = graph(FakeLipsync()).film(ready_avatar(), Speech(syllables(5)).stream(), mark=MARK)
    waiting = asyncio.ensure_future(anext(film))
    await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    await wait_all_tasks_blocked()
    left.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert no_threads_are_left()
    assert len(written) == 1


def breaking(after: int) -> Callable[[], Any]:
    calls = iter(range(1000))

    async def before() -> None:
        if next(calls) >= after:
            raise RuntimeError("secret")

    return before


async def test_an_error_of_the_speech_comes_after_what_was_said_before_it() -> None:
    role, speech = FakeLipsync(), Speech(syllables(2.0), error=RuntimeError("secret"))
    events = []
    with pytest.raises(RuntimeError, match="secret"):
        async for event in graph(role).film(ready_avatar(), speech.stream(), mark=MARK):
            events.append(event)
    assert data_of(events) and speech.closed and not role.drawing
    assert no_threads_are_left()


@pytest.mark.parametrize("after", [0, 2])
async def test_an_error_of_the_lipsync_role_ends_the_film(after: int) -> None:
    role, speech = FakeLipsync(before=breaking(after)), Speech(syllables(30.0))
    with pytest.raises(RuntimeError, match="secret"):
        await whole(graph(role), speech)
    assert speech.closed and not role.drawing
    assert no_threads_are_left()


async def test_an_error_of_the_encoder_ends_the_film(monkeypatch: pytest.MonkeyPatch) -> None:
    role, speech = FakeLipsync(), Speech(syllables(30.0))

    def fail(self: object, frame: object) -> None:
        raise RuntimeError("no encoder")

    monkeypatch.setattr(mp4.Mp4Writer, "write_video", fail)
    with pytest.raises(RuntimeError, match="no encoder"):
        await whole(graph(role), speech)
    assert speech.closed and not role.drawing
    assert no_threads_are_left()


async def test_a_role_that_draws_too_few_frames_is_an_error() -> None:
    class Forgetful(FakeLipsync):
        async def animate(self, *args: Any, **named: Any) -> Any:
            patches = await super().animate(*args, **named)
            return replace(patches, order=patches.order[:-1])

    with pytest.raises(RuntimeError, match="came back with 12"):
        await whole(graph(Forgetful()), Speech(syllables(2)))


def busy(times: int, after: int) -> Callable[[], Any]:
    calls = iter(range(1000))

    async def before() -> None:
        if after <= next(calls) < after + times:
            raise RoleUnavailable("busy", retry_after=0.0)

    return before


async def test_a_film_under_way_waits_for_a_busy_role_and_a_new_one_does_not() -> None:
    speech = syllables(2)
    with capture_logs():
        film = decoded(await whole(graph(FakeLipsync(before=busy(REDRAWS, after=1))), Speech(speech)))
        assert film.mouth == decoded(await whole(graph(FakeLipsync()), Speech(speech))).mouth
        with pytest.raises(RoleUnavailable):
            await whole(graph(FakeLipsync(before=busy(1, after=0))), Speech(speech))
        with pytest.raises(RoleUnavailable):
            await whole(graph(FakeLipsync(before=busy(1000, after=1))), Speech(speech))


async def test_a_film_in_a_file_is_plain_and_has_its_index_in_front() -> None:
    file = io.BytesIO()
    film = graph(FakeLipsync()).film(ready_avatar(), Speech(syllables(2)).stream(), mark=MARK, sink=file)
    *events, report = [event async for event in film]
    told = [event.seconds for event in events if isinstance(event, FilmProgress)]
    assert len(told) == len(events)
    assert isinstance(report, FilmReport)
    data = file.getvalue()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    made = decoded(data)
    assert len(made.mouth) == frames_of(2) == round(told[-1] * FRAMES_PER_SECOND)
    assert told == sorted(told)
    assert "fake-1" in made.tags["comment"] and "anna" in made.tags["comment"]


async def test_the_label_is_drawn_where_it_is_asked_for() -> None:
    def last_picture(data: bytes) -> NDArray[Any]:
        with av.open(io.BytesIO(data), "r") as container:
            *_, last = container.decode(video=0)
            return last.to_ndarray(format="gray").astype(np.int32)

    pictures = []
    for label in (True, False):
        film = graph(FakeLipsync()).film(ready_avatar(), Speech(syllables(1)).stream(), mark=MARK, label=label)
        pictures.append(last_picture(data_of([event async for event in film])))
    differs = np.abs(pictures[0] - pictures[1]) > 40
    assert differs.any()
    assert not differs[: SIDE // 2].any()


async def begin(films: FilmStreams, speech: Speech) -> FilmStream:
    return await films.begin(ready_avatar(), speech.stream(), mark=MARK, correlation_id="c-1")


async def test_places_for_films_are_limited_and_come_back() -> None:
    films = FilmStreams(graph(FakeLipsync(), max_films=2), RayFilmMetrics())
    speeches = [Speech(syllables(60)) for _ in range(3)]
    first, second = [await begin(films, speech) for speech in speeches[:2]]
    with pytest.raises(TooManyFilms) as full:
        await begin(films, speeches[2])
    assert isinstance(full.value, RoleUnavailable) and full.value.retry_after > 0
    with pytest.raises(TooManyFilms):
        films.check_place()
    first.close()
    await asyncio.wait([first.running])
    films.check_place()
    assert speeches[0].closed and not speeches[1].closed
    second.close()
    await asyncio.wait([second.running])
    assert no_threads_are_left()


async def test_a_begun_film_goes_on_a_few_pieces_ahead_of_its_reader() -> None:
    role, speech = FakeLipsync(), Speech(syllables(60))
    film = await begin(FilmStreams(graph(role), RayFilmMetrics()), speech)
    # Encoding goes on in a thread: what is asked for bounds it, not when we look.
    pieces = film.pieces()
    taken = [await anext(pieces) for _ in range(3)]
    assert all(taken)
    assert len(role.shots) <= len(taken) + PIECES_AHEAD + SHOTS_AT_ONCE + 1
    assert speech.said * 0.1 < 20
    await pieces.aclose()
    await asyncio.wait([film.running])
    assert speech.closed
    assert no_threads_are_left()


async def test_a_begun_film_is_the_whole_film() -> None:
    film = await begin(FilmStreams(graph(FakeLipsync()), RayFilmMetrics()), Speech(syllables(2)))
    data = b"".join([piece async for piece in film.pieces()])
    assert len(decoded(data).mouth) == frames_of(2)
    assert data == await whole(graph(FakeLipsync()), Speech(syllables(2)))


@pytest.mark.parametrize(
    "error", [InputError("unsayable", "No.", field="text"), RoleUnavailable("busy"), RuntimeError("secret")]
)
async def test_what_is_wrong_at_once_is_raised_before_the_film_begins(error: Exception) -> None:
    films = FilmStreams(graph(FakeLipsync(), max_films=1), RayFilmMetrics())
    speech = Speech(syllables(0.1), error=error)
    with pytest.raises(type(error)), capture_logs() as logs:
        await begin(films, speech)
    assert logs == []
    films.check_place()
    assert no_threads_are_left()


async def test_a_film_that_breaks_off_is_logged_with_its_correlation_id() -> None:
    films = FilmStreams(graph(FakeLipsync(), max_films=1), RayFilmMetrics())
    film = await begin(films, Speech(syllables(4), error=RuntimeError("secret")))
    with pytest.raises(RuntimeError, match="secret"), capture_logs() as logs:
        async for _piece in film.pieces():
            pass
    (entry,) = [entry for entry in logs if entry["event"] == "film broken off"]
    assert (entry["correlation_id"], entry["log_level"]) == ("c-1", "error")
    films.check_place()
