"""The Wav2Lip engine on random weights: what it prepares, and that frames depend on face and speech alone."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from checkpoints.s3fd import build_s3fd, picture_of_faces
from checkpoints.wav2lip import random_network, save_state
from lipsync_cases import SPEECH, cut, whole
from numpy.typing import NDArray

from models.errors import InputError, MissingWeights
from models.lipsync import LipsyncEngine, Patches, PreparedFace, Shot, Wav2LipSettings, build, footage_index
from models.lipsync.types import Image
from models.lipsync.wav2lip_mel import speech_windows

pytestmark = [pytest.mark.unit, pytest.mark.slow]

BRIEF = SPEECH[4000:10_400]
"""Ten frames."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Wav2LipSettings:
    folder = tmp_path_factory.mktemp("weights")
    checkpoint = save_state(random_network(), folder / "wav2lip.pth")
    return Wav2LipSettings(checkpoint=checkpoint, detector=build_s3fd(folder / "s3fd.pth"), device="cpu", threads=1)


@pytest.fixture(scope="module")
def engine(settings: Wav2LipSettings) -> LipsyncEngine:
    return build(settings)


@pytest.fixture(scope="module")
def still(engine: LipsyncEngine) -> PreparedFace:
    return engine.prepare([portrait(0)])


@pytest.fixture(scope="module")
def clip(engine: LipsyncEngine) -> PreparedFace:
    return engine.prepare(iter([portrait(number) for number in range(3)]))


def portrait(seed: int) -> Image:
    """A picture with a face that the test's S3FD finds at 24, 8 to 88, 72, and noise too dark for it to see."""
    picture = picture_of_faces(96, 128, (3, 2), (14, 1))
    return np.maximum(picture, np.random.default_rng(seed).integers(0, 100, picture.shape, np.uint8))


def film(patches: Patches) -> NDArray[np.int16]:
    return patches.images[patches.order].astype(np.int16)


def assert_same(one: NDArray[np.int16], other: NDArray[np.int16]) -> None:
    """Equal but for rounding."""
    assert one.shape == other.shape
    assert abs(one - other).max() <= 1


def watched(monkeypatch: pytest.MonkeyPatch, engine: LipsyncEngine, look: Callable[[Sequence[Any]], int]) -> list[int]:
    """Return a list that gets what is seen of each batch."""
    seen: list[int] = []
    draw = type(engine)._draw  # type: ignore[attr-defined]

    def watch(self: Any, frames: Sequence[Any]) -> Any:
        seen.append(look(frames))
        return draw(self, frames)

    monkeypatch.setattr(type(engine), "_draw", watch)
    return seen


def test_a_face_is_prepared_from_the_pictures_alone(still: PreparedFace, clip: PreparedFace) -> None:
    # 12.5 of 50 pixels below, for the face has 64 of 256; the patch begins a third of the way down.
    assert still.boxes.tolist() == [[24, 33, 88, 84]]
    assert clip.boxes.tolist() == [[24, 33, 88, 84]] * 3
    assert still.faces == clip.faces == 2
    assert still.mask.shape == (64, 96)


@torch.inference_mode()
def test_a_frame_is_what_the_network_draws_of_face_and_speech(engine: LipsyncEngine, still: PreparedFace) -> None:
    (patches,) = engine.animate([(still, whole(BRIEF))])

    face = cv2.resize(portrait(0)[8:84, 24:88], (96, 96), interpolation=cv2.INTER_LINEAR)
    reference = torch.from_numpy(face).permute(2, 0, 1).float()[None] / 255
    upper = reference.clone()
    upper[:, :, 48:] = 0
    faces = torch.cat((upper, reference), dim=1).expand(3, -1, -1, -1)
    drawn = random_network()(torch.from_numpy(speech_windows(whole(BRIEF)))[:3, None], faces)
    expected = (255 * drawn[:, :, 32:]).permute(0, 2, 3, 1).numpy()

    assert patches.images.shape[1:] == (64, 96, 3)
    assert patches.order.tolist()[:3] == [0, 1, 2]
    np.testing.assert_allclose(film(patches)[:3], expected, atol=0.51)


@pytest.mark.parametrize("name", ["still", "clip"])
def test_however_a_film_is_cut_its_frames_are_the_same(
    engine: LipsyncEngine, name: str, request: pytest.FixtureRequest
) -> None:
    face = request.getfixturevalue(name)
    (uncut,) = engine.animate([(face, whole(BRIEF))])
    shots = engine.animate([(face, shot) for shot in cut(BRIEF, 4)])
    assert_same(np.concatenate([film(patches) for patches in shots]), film(uncut))


def test_shots_of_many_films_in_one_batch_get_their_own_frames(
    engine: LipsyncEngine, still: PreparedFace, clip: PreparedFace
) -> None:
    other = replace(still, arrays=engine.prepare([portrait(9)]).arrays)
    speech = BRIEF[:3200]
    reverse = whole(np.ascontiguousarray(speech[::-1]))
    shots = [(clip, whole(speech)), (still, reverse), (other, whole(speech)), (still, whole(speech))]

    together = engine.animate(shots)

    for shot, patches in zip(shots, together, strict=True):
        (alone,) = engine.animate([shot])
        assert_same(film(patches), film(alone))
    assert abs(film(together[2]) - film(together[3])).max() > 5
    assert abs(film(together[1]) - film(together[3])).max() > 5


def test_a_clip_goes_forward_and_backward(engine: LipsyncEngine, clip: PreparedFace) -> None:
    silence = Shot(np.zeros(0, np.float32), 16_000, True, 25, 9)
    (patches,) = engine.animate([(clip, silence)])
    pictures = [footage_index(25 + at, 3) for at in range(9)]
    assert len(patches.images) == 3
    assert [patches.order[at] == patches.order[0] for at in range(9)] == [at == pictures[0] for at in pictures]


def test_frames_that_show_the_same_are_drawn_once(
    engine: LipsyncEngine, still: PreparedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = watched(monkeypatch, engine, len)
    silence = np.zeros(16_000, np.float32)

    one, two = engine.animate([(still, Shot(silence, 0, True, 0, 25)), (still, Shot(silence, 32_000, False, 75, 10))])

    assert drawn == [1]
    assert len(one.images) == len(two.images) == 1
    assert (one.order.tolist(), two.order.tolist()) == ([0] * 25, [0] * 10)
    np.testing.assert_array_equal(one.images, two.images)


def test_a_face_out_of_the_store_is_as_good(engine: LipsyncEngine, still: PreparedFace) -> None:
    data = still.to_bytes()
    shot = whole(BRIEF[:1280])
    (fresh,) = engine.animate([(still, shot)])
    (stored,) = engine.animate([(PreparedFace.from_bytes(data), shot)])
    np.testing.assert_array_equal(film(stored), film(fresh))
    assert len(data) < 2_000_000


def test_threads_share_the_engine(engine: LipsyncEngine, still: PreparedFace, clip: PreparedFace) -> None:
    shots: list[tuple[PreparedFace, Shot]] = [(still, whole(BRIEF[:1900])), (clip, whole(BRIEF[:1900]))]
    expected = [film(engine.animate([job])[0]) for job in shots] * 2
    jobs = shots * 2
    barrier = threading.Barrier(len(jobs))
    fresh = PreparedFace.from_bytes(still.to_bytes())

    def run(job: tuple[PreparedFace, Shot]) -> NDArray[np.int16]:
        barrier.wait()
        return film(engine.animate([(fresh if job[0] is still else job[0], job[1])])[0])

    with ThreadPoolExecutor(len(jobs)) as pool:
        for found, wanted in zip(pool.map(run, jobs), expected, strict=True):
            assert_same(found, wanted)


def test_a_batch_uses_the_threads_it_is_given_and_leaves_the_others_alone(
    settings: Wav2LipSettings, engine: LipsyncEngine, still: PreparedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch, engine, lambda frames: torch.get_num_threads())
    monkeypatch.setattr(engine, "_threads", 2)
    before = torch.get_num_threads()
    engine.animate([(still, whole(BRIEF[:640]))])
    assert seen == [2]
    assert torch.get_num_threads() == before


def test_a_batch_that_does_not_fit_is_halved(
    engine: LipsyncEngine, still: PreparedFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shot = whole(BRIEF[:3200])
    (expected,) = engine.animate([(still, shot)])
    draw = type(engine)._draw  # type: ignore[attr-defined]

    def scarce(self: Any, frames: list[Any]) -> NDArray[np.uint8]:
        if len(frames) > 2:
            raise torch.OutOfMemoryError
        drawn: NDArray[np.uint8] = draw(self, frames)
        return drawn

    monkeypatch.setattr(type(engine), "_draw", scarce)
    (patches,) = engine.animate([(still, shot)])
    assert_same(film(patches), film(expected))


def test_a_picture_without_a_face_is_refused(engine: LipsyncEngine) -> None:
    with pytest.raises(InputError) as caught:
        engine.prepare([np.zeros((96, 96, 3), np.uint8)])
    assert caught.value.code == "no_face"


def test_the_fingerprint_tells_weights_and_settings_that_matter_apart(
    settings: Wav2LipSettings, engine: LipsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for costly in ("load_network", "FoldedWav2Lip", "S3fdDetector"):
        monkeypatch.setattr(f"models.lipsync.wav2lip.{costly}", lambda *given: None)
    other = tmp_path / "other.pth"
    other.write_bytes(b"other")

    def fingerprint(**changed: Any) -> str:
        return build(settings.model_copy(update=changed)).fingerprint

    changes: list[dict[str, Any]] = [{"checkpoint": str(other)}, {"pads": (0, 40, 0, 0)}, {"smoothing": 7}]
    all_of_them = {engine.fingerprint, *(fingerprint(**change) for change in changes)}
    assert len(all_of_them) == 4
    assert fingerprint(threads=2) == engine.fingerprint
    assert engine.fingerprint.startswith("wav2lip-")
    assert len(engine.fingerprint) <= 64


def test_no_weights_are_fetched(tmp_path: Path, settings: Wav2LipSettings) -> None:
    for missing, source in (("checkpoint", r"wav2lip_gan\.pth.*non-commercial"), ("detector", r"s3fd-619a316812\.pth")):
        with pytest.raises(MissingWeights, match=f"there is no file .*{source}.*put it there"):
            build(settings.model_copy(update={missing: str(tmp_path / "none.pth")}))
