"""Faces for Wav2Lip: found by S3FD, followed, smoothed and cut out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoints.s3fd import build_s3fd, picture_of_faces

from models.errors import InputError
from models.lipsync.face_box import FaceBox
from models.lipsync.face_crops import FaceCropper
from models.lipsync.patch_mask import FIRST_ROW, patch_boxes, patch_mask
from models.lipsync.s3fd import S3fdDetector
from models.lipsync.types import Image

pytestmark = [pytest.mark.unit, pytest.mark.slow]

NO_PADS = (0, 0, 0, 0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_s3fd(tmp_path_factory.mktemp("s3fd") / "s3fd.pth")


class Script:
    """Finds in each frame what it was told."""

    def __init__(self, *frames: Sequence[FaceBox]) -> None:
        self._frames = list(frames)
        self.batches: list[int] = []

    def find(self, images: Sequence[Image]) -> list[list[FaceBox]]:
        self.batches.append(len(images))
        return [list(self._frames.pop(0)) for _ in images]


def square(left: float, top: float, side: float) -> FaceBox:
    return FaceBox(left, top, left + side, top + side)


def frames(count: int) -> list[Image]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 200, 300, 3), np.uint8))


def test_the_detector_finds_every_face_and_where_it_is(weights: Path) -> None:
    detector = S3fdDetector(weights, torch.device("cpu"))
    one, two = detector.find([picture_of_faces(96, 128, (3, 2)), picture_of_faces(96, 128, (3, 2), (1, 1), (14, 9))])

    assert len(one) == 1
    assert (one[0].left, one[0].top, one[0].right, one[0].bottom) == pytest.approx((24, 8, 88, 72), abs=0.1)
    assert sorted(round(face.width) for face in two) == [32, 32, 64]


def test_nothing_is_found_where_there_is_no_face(weights: Path) -> None:
    detector = S3fdDetector(weights, torch.device("cpu"))
    assert detector.find([np.zeros((64, 64, 3), np.uint8)] * 2) == [[], []]


def test_a_large_picture_is_searched_in_a_smaller_size(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.lipsync.s3fd.LONGEST_SIDE", 128)
    large = picture_of_faces(96, 128, (3, 2)).repeat(2, axis=0).repeat(2, axis=1)
    ((face,),) = S3fdDetector(weights, torch.device("cpu")).find([large])
    assert (face.left, face.top, face.right, face.bottom) == pytest.approx((48, 16, 176, 144), abs=0.2)


@pytest.mark.parametrize("content", [{"other": torch.zeros(1)}, torch.zeros(1), {"conv1_1.weight": torch.zeros(1)}])
def test_other_weights_than_the_detectors_are_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "s3fd.pth")
    with pytest.raises(ValueError, match="S3FD"):
        S3fdDetector(tmp_path / "s3fd.pth", torch.device("cpu"))


def test_a_pickle_is_not_executed(tmp_path: Path) -> None:
    torch.save({"weights": Path("x")}, tmp_path / "s3fd.pth")
    with pytest.raises(ValueError, match="damaged"):
        S3fdDetector(tmp_path / "s3fd.pth", torch.device("cpu"))


def test_the_largest_face_is_cut_out_and_all_are_counted() -> None:
    (image,) = frames(1)
    found = FaceCropper(Script([square(5, 5, 40), square(100, 50, 96)]), NO_PADS, 5).crop([image])

    assert found.faces == 2
    assert found.boxes.tolist() == [[100, 50, 196, 146]]
    np.testing.assert_array_equal(found.crops[0], image[50:146, 100:196])


def test_pads_grow_with_the_face_and_end_at_the_frame() -> None:
    found = FaceCropper(Script([square(0, 20, 128)]), (16, 32, 8, 8), 1).crop(frames(1))
    assert found.boxes.tolist() == [[0, 12, 132, 164]]


def test_a_box_is_the_mean_of_those_around_it() -> None:
    lefts = [0, 10, 20, 30, 40, 50, 10]
    script = Script(*[[square(left, 50, 60)] for left in lefts])
    found = FaceCropper(script, NO_PADS, 3).crop(iter(frames(7)))
    assert found.boxes[:, 0].tolist() == [5, 10, 20, 30, 40, 33, 30]


def test_the_same_face_is_followed_though_another_becomes_larger() -> None:
    script = Script([square(0, 0, 50), square(150, 50, 60)], [square(0, 0, 80), square(152, 50, 60)])
    found = FaceCropper(script, NO_PADS, 1).crop(frames(2))
    assert found.boxes[:, 0].tolist() == [150, 152]


def test_frames_are_searched_in_batches_of_16() -> None:
    script = Script(*[[square(0, 0, 60)]] * 35)
    found = FaceCropper(script, NO_PADS, 5).crop(iter([frames(1)[0]] * 35))
    assert script.batches == [16, 16, 3]
    assert len(found.crops) == 35


def test_a_picture_without_a_face_is_refused() -> None:
    with pytest.raises(InputError, match="No face") as caught:
        FaceCropper(Script([]), NO_PADS, 5).crop(frames(1))
    assert (caught.value.code, caught.value.field) == ("no_face", "file")


def test_a_clip_that_loses_its_face_says_when() -> None:
    script = Script(*[[square(0, 0, 60)]] * 20, [])
    with pytest.raises(InputError, match=r"at 0\.80 s") as caught:
        FaceCropper(script, NO_PADS, 5).crop([frames(1)[0]] * 21)
    assert caught.value.code == "no_face"


def test_a_face_that_is_too_small_is_refused_with_the_limit() -> None:
    with pytest.raises(InputError, match="20 pixels high; it must have at least 32") as caught:
        FaceCropper(Script([square(0, 0, 20)]), NO_PADS, 5).crop(frames(1))
    assert caught.value.code == "face_too_small"


def test_a_patch_is_the_lower_part_of_the_face_and_fades_out_at_its_edges() -> None:
    mask = patch_mask()
    assert patch_boxes(np.array([[10, 20, 106, 116], [0, 0, 48, 48]], np.int32)).tolist() == [
        [10, 20 + FIRST_ROW, 106, 116],
        [0, FIRST_ROW // 2, 48, 48],
    ]
    assert mask.shape == (96 - FIRST_ROW, 96)
    assert (mask[48 - FIRST_ROW : -8, 10:-10] == 255).all()
    assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) < 16
    assert (np.diff(mask[: 48 - FIRST_ROW, 48].astype(int)) >= 0).all()
