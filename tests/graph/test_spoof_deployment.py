"""The spoof deployment over a fake detector, and through a handle in Serve's local testing mode."""

import asyncio
import threading
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from ray import serve

from deployments.spoof import MAX_CHUNKS_PER_CALL, SpoofClient, SpoofReplica, spoof_deployment
from models.errors import InputError, OutOfGpuMemory
from models.spoof import CHUNK_SAMPLES, Bands, CompactSettings

pytestmark = [pytest.mark.graph, pytest.mark.anyio]

Floats = NDArray[np.float32]
Lengths = NDArray[np.int64]


class FakeDetector:
    """Scores a chunk by its first sample; negative ones it refuses. Can be made to wait inside."""

    made: ClassVar[list["FakeDetector"]] = []

    def __init__(self, settings: CompactSettings) -> None:
        self.batches: list[tuple[int, list[int]]] = []
        self.room = 64
        self.inside = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        FakeDetector.made.append(self)

    def score(self, chunks: Floats, lengths: Lengths) -> Floats:
        assert chunks.shape == (len(lengths), CHUNK_SAMPLES)
        self.batches.append((len(chunks), lengths.tolist()))
        self.inside.release()
        assert self.open.wait(10)
        if len(chunks) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        if chunks[:, 0].min() < -1:
            raise InputError("bad_chunk", "A chunk can't be scored.")
        return chunks[:, 0].copy()


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeDetector.made = []
    monkeypatch.setattr("deployments.spoof.build", FakeDetector)


def replica(max_batch_chunks: int = 4, concurrency: int = 1) -> tuple[SpoofReplica, FakeDetector]:
    made = SpoofReplica(CompactSettings(), max_batch_chunks, 0.0, concurrency)
    detector = FakeDetector.made[-1]
    detector.batches.clear()
    assert detector.inside.acquire(timeout=10)
    return made, detector


def chunks(*scores: float) -> Floats:
    """Chunks that the fake gives these scores; read-only, as they come out of a handle."""
    made = np.tile(np.array(scores, np.float32)[:, None], (1, CHUNK_SAMPLES)).reshape(-1, CHUNK_SAMPLES)
    made.flags.writeable = False
    return made


def whole(count: int) -> Lengths:
    return np.full(count, CHUNK_SAMPLES, np.int64)


async def test_scores_come_in_the_order_of_the_chunks_with_the_bands_in_force() -> None:
    made, detector = replica()
    expected = np.linspace(0, 1, 10, dtype=np.float32)
    scores = await made.score(chunks(*expected), whole(10), correlation_id="cid")
    assert scores.p_spoof.dtype == np.float32
    np.testing.assert_array_equal(scores.p_spoof, expected)
    assert scores.bands == Bands(0.3, 0.7)
    assert scores.engine == "compact"
    assert [size for size, _lengths in detector.batches] == [4, 4, 2]


async def test_callers_share_batches_and_each_gets_its_own_scores_and_lengths() -> None:
    made, detector = replica(max_batch_chunks=8)
    one, two = await asyncio.gather(
        made.score(chunks(0.1, 0.2), np.array([1, 64_000]), correlation_id="one"),
        made.score(chunks(0.3), np.array([77]), correlation_id="two"),
    )
    np.testing.assert_allclose(one.p_spoof, [0.1, 0.2])
    np.testing.assert_allclose(two.p_spoof, [0.3])
    assert [(size, sorted(lengths)) for size, lengths in detector.batches] == [(3, [1, 77, 64_000])]


async def test_a_chunk_that_the_engine_refuses_fails_its_own_call_alone() -> None:
    made, _detector = replica(max_batch_chunks=8)
    good, bad = await asyncio.gather(
        made.score(chunks(0.5), whole(1)), made.score(chunks(0.5, -2.0), whole(2)), return_exceptions=True
    )
    assert isinstance(bad, InputError)
    assert not isinstance(good, BaseException)
    np.testing.assert_allclose(good.p_spoof, [0.5])


@pytest.mark.parametrize(
    ("wrong", "lengths", "said"),
    [
        (np.zeros((1, 100), np.float32), whole(1), "float32"),
        (np.zeros((1, CHUNK_SAMPLES), np.float64), whole(1), "float64"),
        (np.zeros(CHUNK_SAMPLES, np.float32), whole(1), "float32"),
        (np.zeros((2, CHUNK_SAMPLES), np.float32), whole(1), "lengths"),
        (np.zeros((1, CHUNK_SAMPLES), np.float32), np.array([0]), "1 to 64000"),
        (np.zeros((1, CHUNK_SAMPLES), np.float32), np.array([64_001]), "1 to 64000"),
        (np.zeros((65, CHUNK_SAMPLES), np.float32), whole(65), "at most 64"),
    ],
)
async def test_arrays_of_another_shape_are_refused(wrong: Floats, lengths: Lengths, said: str) -> None:
    made, detector = replica()
    with pytest.raises(ValueError, match=said):
        await made.score(wrong, lengths)
    assert detector.batches == []


async def test_no_chunks_have_no_scores() -> None:
    made, _detector = replica()
    scores = await made.score(np.empty((0, CHUNK_SAMPLES), np.float32), whole(0))
    assert scores.p_spoof.shape == (0,)


async def test_the_engine_is_warmed_at_the_full_batch_and_probed_with_one_chunk() -> None:
    SpoofReplica(CompactSettings(), 6, 0.0, 1)
    assert FakeDetector.made[-1].batches == [(6, [CHUNK_SAMPLES] * 6)]
    made, detector = replica()
    made._last_success -= 3600
    await made.check_health()
    assert [size for size, _lengths in detector.batches] == [1]


async def test_new_bands_and_waits_need_no_new_engine() -> None:
    made, detector = replica()
    await made.reconfigure({"bona_fide_below": 0.1, "spoof_from": 0.9, "batch_wait_ms": 20})
    assert FakeDetector.made == [detector]
    assert (await made.score(chunks(0.5), whole(1))).bands == Bands(0.1, 0.9)
    assert (await made.describe())["batch_wait_ms"] == 20
    await made.reconfigure({})
    assert (await made.score(chunks(0.5), whole(1))).bands == Bands(0.3, 0.7)
    assert (await made.describe())["batch_wait_ms"] == 0


async def test_batches_may_become_larger_and_smaller_without_a_new_engine() -> None:
    made, detector = replica(max_batch_chunks=4)
    for asked, sizes in ((8, [8, 2]), (3, [3, 3, 3, 1])):
        await made.reconfigure({"max_batch_chunks": asked})
        detector.batches.clear()
        await made.score(chunks(*[0.5] * 10), whole(10))
        assert [size for size, _lengths in detector.batches] == sizes
        assert (await made.describe())["max_batch_chunks"] == asked
    assert FakeDetector.made == [detector]


async def test_a_batch_without_room_on_the_gpu_is_scored_in_halves_and_the_replica_lives() -> None:
    made, detector = replica(max_batch_chunks=8)
    detector.room = 3
    expected = np.linspace(0, 1, 8, dtype=np.float32)
    scores = await made.score(chunks(*expected), whole(8))
    np.testing.assert_array_equal(scores.p_spoof, expected)
    assert [size for size, _lengths in detector.batches] == [8, 4, 2, 2, 4, 2, 2]
    assert (await made.describe())["fitting_batch"] == 2
    detector.room = 0
    with pytest.raises(OutOfGpuMemory):
        await made.score(chunks(0.5), whole(1))
    assert [size for size, _lengths in detector.batches][-2:] == [1, 1]
    detector.room = 64
    await made.check_health()
    np.testing.assert_allclose((await made.score(chunks(0.25), whole(1))).p_spoof, [0.25])


async def test_what_the_engine_is_made_from_makes_a_new_one() -> None:
    made, detector = replica()
    await made.reconfigure({"threads": 3})
    assert made.engine is FakeDetector.made[-1] is not detector


@pytest.mark.parametrize(
    "wrong", [{"batch_wait_ms": -1}, {"spoof_from": 0.1}, {"spoof_form": 0.9}, {"max_batch_chunks": 0}]
)
async def test_wrong_settings_change_nothing(wrong: dict[str, float]) -> None:
    made, detector = replica()
    with pytest.raises(ValidationError):
        await made.reconfigure({"batch_wait_ms": 20, **wrong})
    assert (await made.describe())["batch_wait_ms"] == 0
    assert (await made.score(chunks(0.5), whole(1))).bands == Bands(0.3, 0.7)
    assert made.engine is detector


async def test_batches_under_way_do_not_write_into_one_another() -> None:
    made, detector = replica(max_batch_chunks=2, concurrency=2)
    detector.open.clear()
    calls = [asyncio.create_task(made.score(chunks(0.1 * n, 0.1 * n), whole(2))) for n in range(4)]
    for _batch in range(2):
        assert await asyncio.to_thread(detector.inside.acquire, timeout=10)
    detector.open.set()
    for number, call in enumerate(calls):
        np.testing.assert_allclose((await call).p_spoof, [0.1 * number] * 2, rtol=1e-6)


async def test_describe_counts_batches_and_chunks() -> None:
    made, _detector = replica()
    await made.score(chunks(*[0.5] * 6), whole(6))
    said = await made.describe()
    assert (said["engine"], said["batches"], said["chunks"]) == ("compact", 2, 6)


@pytest.fixture
def served(fake: None) -> Iterator[SpoofClient]:
    handle = serve.run(
        spoof_deployment.bind(CompactSettings(), 4, 0.0, 1), name="spoof", route_prefix=None, _local_testing_mode=True
    )
    yield SpoofClient(handle)


async def test_the_role_behind_its_handle_scores_a_full_call(served: SpoofClient) -> None:
    expected = np.linspace(0, 1, MAX_CHUNKS_PER_CALL, dtype=np.float32)
    scores = await served.score(chunks(*expected), whole(MAX_CHUNKS_PER_CALL), correlation_id="cid")
    np.testing.assert_array_equal(scores.p_spoof, expected)
    assert scores.bands == Bands(0.3, 0.7)
