"""The lip-sync deployment over a fake engine, and mouth-warp through a handle in Serve's local testing mode."""

import asyncio
import threading
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import ClassVar

import numpy as np
import pytest
from ray import serve

from deployments.errors import FaceOfAnotherEngine
from deployments.lipsync import MAX_FRAMES_PER_CALL, LipsyncClient, LipsyncReplica, lipsync_deployment
from deployments.references import SharedFace
from deployments.sample import warm_up_speech
from models.errors import InputError
from models.lipsync import Image, MouthWarpSettings, Patches, PreparedFace, Shot
from models.samples import PORTRAIT

pytestmark = [pytest.mark.graph, pytest.mark.anyio]


def face(value: int = 0) -> PreparedFace:
    return PreparedFace(np.array([[0, 0, 2, 2]], np.int32), np.full((2, 2), 255, np.uint8), 1, {"v": np.array(value)})


class FakeEngine:
    """Draws a frame as its face's value plus its number; the number 13 it refuses. Can be made to wait inside."""

    made: ClassVar[list["FakeEngine"]] = []
    device = "cpu"

    def __init__(self, settings: MouthWarpSettings) -> None:
        self.fingerprint = f"fake-{settings.blinks_per_minute:.0f}"
        self.still = settings.opening == 2.0
        self.prepared = 0
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.inside = threading.Semaphore(0)
        FakeEngine.made.append(self)

    def prepare(self, frames: Iterable[Image]) -> PreparedFace:
        self.prepared += 1
        (frame,) = frames
        if frame.max() == 0:
            raise InputError("no_face", "There is no face.", field="file")
        return face(100)

    def animate(self, shots: Sequence[tuple[PreparedFace, Shot]]) -> list[Patches]:
        self.batches.append([shot.count for _face, shot in shots])
        self.inside.release()
        assert self.open.wait(10)
        return [self._draw(face, shot) for face, shot in shots]

    def _draw(self, face: PreparedFace, shot: Shot) -> Patches:
        if shot.first == 13:
            raise RuntimeError("thirteen")
        numbers = np.arange(shot.first, shot.first + shot.count) * (not self.still) + int(face.arrays["v"])
        images = np.broadcast_to(numbers[:, None, None, None], (shot.count, 2, 2, 3)).astype(np.uint8)
        return Patches(images, np.arange(shot.count, dtype=np.int32))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeEngine.made = []
    monkeypatch.setattr("deployments.lipsync.build", FakeEngine)


def replica(max_batch_frames: int = 8, max_faces: int = 4) -> tuple[LipsyncReplica, FakeEngine]:
    made = LipsyncReplica(MouthWarpSettings(), max_batch_frames, 0.0, 1, max_faces)
    engine = FakeEngine.made[-1]
    engine.batches.clear()
    assert engine.inside.acquire(timeout=10)
    return made, engine


def shot(first: int = 0, count: int = 3) -> Shot:
    return Shot(np.zeros(640 * count, np.float32), 640 * first, False, first, count)


def drawn(patches: Patches) -> list[int]:
    return [int(patches.images[which, 0, 0, 0]) for which in patches.order]


class Offer:
    """A face's file behind a reference, as Ray's are; counts how often it is fetched."""

    def __init__(self, value: int) -> None:
        self.data = face(value).to_bytes()
        self.fetched = 0

    def __await__(self) -> Iterator[None]:
        self.fetched += 1
        yield from asyncio.sleep(0).__await__()
        return self.data  # type: ignore[return-value]


@pytest.mark.usefixtures("fake")
async def test_a_replica_fetches_a_face_that_it_does_not_know_and_only_then() -> None:
    made, engine = replica()
    key, offer = f"a.{engine.fingerprint}", Offer(50)
    first, second = await asyncio.gather(
        made.animate(SharedFace(key, offer), shot(0)), made.animate(SharedFace(key, offer), shot(7))
    )
    assert (drawn(first), drawn(second)) == ([50, 51, 52], [57, 58, 59])
    await made.animate(SharedFace(key, offer), shot(3))
    assert offer.fetched == 1
    assert (await made.describe())["faces"] == [key]


@pytest.mark.usefixtures("fake")
async def test_the_least_recently_used_face_is_forgotten() -> None:
    made, engine = replica(max_faces=1)
    one, two = Offer(1), Offer(2)
    for key, offer in (("one", one), ("two", two), ("one", one)):
        await made.animate(SharedFace(f"{key}.{engine.fingerprint}", offer), shot())
    assert (one.fetched, two.fetched) == (2, 1)


@pytest.mark.usefixtures("fake")
async def test_films_share_batches_and_each_caller_gets_its_own_faces_frames() -> None:
    made, engine = replica()
    faces = {value: (f"{value}.{engine.fingerprint}", face(value).to_bytes()) for value in (10, 20, 30)}
    for key, data in faces.values():
        await made.animate(SharedFace(key, data), shot())
    engine.batches.clear()
    calls: list[Awaitable[Patches]] = [
        made.animate(SharedFace(key, data), shot(value)) for value, (key, data) in faces.items()
    ]
    assert [drawn(patches) for patches in await asyncio.gather(*calls)] == [
        [20, 21, 22],
        [40, 41, 42],
        [60, 61, 62],
    ]
    assert engine.batches == [[3, 3], [3]]


@pytest.mark.usefixtures("fake")
async def test_a_shot_that_fails_takes_no_other_with_it() -> None:
    made, engine = replica()
    key, data = f"a.{engine.fingerprint}", face().to_bytes()
    await made.animate(SharedFace(key, data), shot())
    good, bad = await asyncio.gather(
        made.animate(SharedFace(key, data), shot(1)),
        made.animate(SharedFace(key, data), shot(13)),
        return_exceptions=True,
    )
    assert isinstance(bad, RuntimeError)
    assert isinstance(good, Patches)
    assert drawn(good) == [1, 2, 3]


@pytest.mark.usefixtures("fake")
async def test_a_face_of_an_engine_that_was_replaced_is_refused() -> None:
    made, engine = replica()
    key, data = f"a.{engine.fingerprint}", face().to_bytes()
    await made.animate(SharedFace(key, data), shot())
    await made.reconfigure({"blinks_per_minute": 3})
    assert await made.fingerprint() == "fake-3"
    with pytest.raises(FaceOfAnotherEngine):
        await made.animate(SharedFace(key, data), shot())
    assert drawn(await made.animate(SharedFace("a.fake-3", data), shot())) == [0, 1, 2]


@pytest.mark.usefixtures("fake")
async def test_the_portrait_is_prepared_once_for_the_warm_up_and_all_probes() -> None:
    made, engine = replica()
    made._last_success -= 3600
    await made.check_health()
    assert engine.prepared == 1
    assert engine.batches == [[10]]


@pytest.mark.usefixtures("fake")
def test_an_engine_whose_faces_keep_still_does_not_start() -> None:
    with pytest.raises(RuntimeError, match="does not move"):
        LipsyncReplica(MouthWarpSettings(opening=2.0))


@pytest.mark.usefixtures("fake")
async def test_an_engine_that_does_not_see_the_portrait_starts_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def blind(engine: FakeEngine, _frames: Iterable[Image]) -> PreparedFace:
        engine.prepared += 1
        raise InputError("no_face", "There is no face.", field="file")

    monkeypatch.setattr(FakeEngine, "prepare", blind)
    made = LipsyncReplica(MouthWarpSettings())
    await made.check_health()
    assert capsys.readouterr().err.count('"reason": "There is no face."') == 1
    assert FakeEngine.made[-1].prepared == 1


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (shot(count=MAX_FRAMES_PER_CALL + 1), "1 to 250"),
        (Shot(np.zeros(640, np.float32), 0, True, 0, 0), "1 to 250"),
        (Shot(np.zeros(640, np.float32), 0, True, -1, 1), "frame 0"),
        (Shot(np.zeros(640, np.float64), 0, True, 0, 1), "float32"),  # type: ignore[arg-type]
        (Shot(np.zeros(160_000, np.float32), 0, True, 0, 1), "at most 2.3 s"),
        (Shot(np.full(640, np.nan, np.float32), 0, True, 0, 1), "finite"),
    ],
)
async def test_shots_of_another_form_are_refused(wrong: Shot, said: str) -> None:
    made, engine = replica()
    with pytest.raises(ValueError, match=said):
        await made.animate(SharedFace(f"a.{engine.fingerprint}", face().to_bytes()), wrong)
    assert engine.batches == []


@pytest.fixture
def served() -> LipsyncClient:
    handle = serve.run(
        lipsync_deployment.bind(MouthWarpSettings(), 32, 0.0, 1),
        name="lipsync",
        route_prefix=None,
        _local_testing_mode=True,
    )
    return LipsyncClient(handle)


@pytest.mark.slow
async def test_the_portrait_speaks_through_a_handle(served: LipsyncClient) -> None:
    fingerprint = await served.fingerprint()
    data, made_by = await served.prepare(PORTRAIT.read_bytes(), "still", correlation_id="cid")
    assert made_by == fingerprint
    portrait = SharedFace(f"portrait.{fingerprint}", data)
    speech = warm_up_speech()
    patches = await served.animate(portrait, Shot(speech[:32_000], 0, False, 0, 40), correlation_id="cid")
    left, top, right, bottom = PreparedFace.from_bytes(data).boxes[0]
    assert patches.images.shape[1:] == (bottom - top, right - left, 3)
    assert len(patches.order) == 40
    assert len(np.unique(patches.order)) > 5
