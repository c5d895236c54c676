"""An avatar's frames in the order of a film, and patches pasted into them."""

import io
from itertools import islice

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from video_files import clip, near, number_of, numbered, quarters, saved

from models.lipsync import Image, Patches, PreparedFace, footage_index
from models.video.avatar_file import read_avatar
from models.video.colours import Converter
from models.video.compositor import Compositor
from models.video.footage import Footage, open_footage
from models.video.label import Overlay
from models.video.types import AvatarLimits

pytestmark = pytest.mark.unit


def smooth(width: int, height: int, seed: int = 5) -> NDArray[np.uint8]:
    """Return a picture without edges, whose colours survive the halving of chroma."""
    coarse = np.random.default_rng(seed).integers(40, 216, (4, 4, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def still(image: Image) -> Footage:
    return open_footage(cv2.imencode(".png", image)[1].tobytes(), "still")


def moving(count: int) -> Footage:
    limits = AvatarLimits(min_clip_seconds=0.0)
    return open_footage(read_avatar(clip(numbered(count)), limits).data, "clip")


def face(*boxes: tuple[int, int, int, int], mask: NDArray[np.uint8] | None = None) -> PreparedFace:
    return PreparedFace(np.array(boxes, np.int32), np.full((4, 4), 255, np.uint8) if mask is None else mask, 1, {})


def patches(*images: Image, order: list[int]) -> Patches:
    return Patches(np.stack(images), np.array(order, np.int32))


def bgr(frame: VideoFrame) -> NDArray[np.int64]:
    return Converter().to_bgr(frame).astype(np.int64)


def test_a_still_shows_its_picture_again_and_again() -> None:
    image = smooth(120, 100)
    footage = still(image)

    assert (footage.width, footage.height, footage.frames) == (120, 100, 1)
    assert [np.array_equal(frame, image) for frame in footage.unique()] == [True]
    assert all(np.array_equal(frame, image) for frame in islice(footage.film(), 3))


@pytest.mark.parametrize("count", [1, 2, 12, 13, 31])
def test_a_clip_is_shown_forward_and_backward_without_a_jump(count: int) -> None:
    footage = moving(count)

    film = [number_of(frame) for frame in islice(footage.film(), 3 * count + 5)]

    assert footage.frames == count
    assert [number_of(frame) for frame in footage.unique()] == list(range(count))
    assert film == [footage_index(index, count) for index in range(3 * count + 5)]


def test_films_of_one_footage_do_not_disturb_each_other() -> None:
    footage = moving(20)
    first, second = footage.film(), footage.film()

    seen = [(number_of(next(first)), number_of(next(second)), number_of(next(first))) for _ in range(12)]

    assert [value for left, _, right in seen for value in (left, right)] == [footage_index(i, 20) for i in range(24)]
    assert [middle for _, middle, _ in seen] == list(range(12))


def test_films_end_when_the_footage_is_closed() -> None:
    for footage in (still(smooth(96, 96)), moving(15)):
        film = footage.film()
        next(film)
        footage.close()
        assert len(list(film)) <= 30


@pytest.mark.parametrize("kind", ["still", "clip"])
def test_data_of_no_avatar_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="avatar"):
        open_footage(b"neither" * 30, kind)  # type: ignore[arg-type]


def test_colours_survive_the_way_into_a_film_and_back() -> None:
    image = smooth(128, 96)
    flat = np.ascontiguousarray(np.asarray(quarters(128, 96))[:, :, ::-1])

    for picture in (image, flat):
        there_and_back = Converter().to_bgr(Converter().to_yuv(picture)).astype(int)
        error = there_and_back[8:40, 8:56] - picture[8:40, 8:56]
        assert np.abs(error).max() <= 4
        assert np.abs(error.mean(axis=(0, 1))).max() <= 1


def test_a_film_says_which_colours_it_has() -> None:
    frame = Converter().to_yuv(smooth(96, 96))

    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)


def pasted(base: Image, patch: Image, box: tuple[int, int, int, int], mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Paste slowly, in BGR."""
    left, top, right, bottom = box
    size = right - left, bottom - top
    scaled = cv2.resize(patch, size, interpolation=cv2.INTER_CUBIC).astype(np.float64)
    weight = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR).astype(np.float64)[..., None] / 255
    result = base.astype(np.float64)
    result[top:bottom, left:right] += weight * (scaled - result[top:bottom, left:right])
    return result


@pytest.mark.parametrize("box", [(20, 30, 84, 94), (21, 31, 86, 97), (0, 0, 160, 120), (95, 60, 160, 120)])
def test_a_patch_is_pasted_as_a_slow_reference_pastes_it(box: tuple[int, int, int, int]) -> None:
    base, patch = smooth(160, 120), smooth(48, 40, seed=6)
    mask = np.zeros((40, 48), np.uint8)
    mask[8:-8, 8:-8] = 255
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 4), np.uint8)

    (frame,) = Compositor(still(base), face(box, mask=mask)).draw(patches(patch, order=[0]))

    assert np.abs(bgr(frame) - pasted(base, patch, box, mask)).max() <= 8
    assert np.abs(bgr(frame) - pasted(base, patch, box, mask)).mean() <= 1.2


def test_nothing_outside_of_the_box_changes() -> None:
    base = smooth(160, 120)
    untouched = Converter().to_yuv(base).to_ndarray()
    box = (31, 41, 90, 81)

    (frame,) = Compositor(still(base), face(box)).draw(patches(np.zeros((40, 59, 3), np.uint8), order=[0]))

    changed = np.argwhere(frame.to_ndarray()[:120] != untouched[:120])
    assert changed.min(axis=0).tolist() == [41, 31]
    assert changed.max(axis=0).tolist() == [80, 89]


def test_frames_show_the_patches_in_their_order_and_are_in_memory_of_their_own() -> None:
    greys = [np.full((40, 40, 3), value, np.uint8) for value in (0, 90, 180)]
    compositor = Compositor(still(smooth(120, 100)), face((40, 30, 80, 70)))

    frames = [*compositor.draw(patches(*greys, order=[2, 0, 0, 1, 2])), *compositor.draw(patches(*greys, order=[1]))]

    assert [round(bgr(frame)[50, 60].mean(), -1) for frame in frames] == [180, 0, 0, 90, 180, 90]
    assert len({frame.planes[0].buffer_ptr for frame in frames}) == 6


def test_a_patch_that_is_shown_again_is_not_converted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    compositor = Compositor(still(smooth(120, 100)), face((40, 30, 80, 70)))
    converted: list[Image] = []
    to_yuv = Converter.to_yuv
    monkeypatch.setattr(Converter, "to_yuv", lambda self, image: (converted.append(image), to_yuv(self, image))[1])

    list(compositor.draw(patches(smooth(40, 40), smooth(40, 40, seed=6), order=[0, 1, 0, 0, 1])))

    assert len(converted) == 2


def test_patches_follow_the_face_through_a_clip_forward_and_backward() -> None:
    footage = moving(14)
    boxes = [(8 + 3 * index, 20, 41 + 3 * index, 60) for index in range(14)]
    white = np.full((40, 33, 3), 255, np.uint8)
    compositor = Compositor(footage, face(*boxes))

    frames = [frame for _ in range(4) for frame in compositor.draw(patches(white, order=[0] * 9))]

    for index, frame in enumerate(frames):
        image = bgr(frame)
        left, _, right, _ = boxes[footage_index(index, 14)]
        bright = np.flatnonzero(image[40, :, 1] > 240)
        assert (bright.min(), bright.max()) == (left, right - 1)
        assert number_of(image[70:].astype(np.uint8)) == footage_index(index, 14)


def test_a_label_lies_over_base_and_patch() -> None:
    label = Overlay(np.full((10, 20, 3), 250, np.uint8), np.full((10, 20), 255, np.uint8), 60, 60)
    dark = np.full((100, 120, 3), 20, np.uint8)
    black = np.zeros((40, 40, 3), np.uint8)

    for frame in Compositor(still(dark), face((30, 30, 70, 70)), label).draw(patches(black, order=[0, 0])):
        image = bgr(frame)
        assert image[62:68, 62:78].min() >= 247
        assert image[40, 40].max() <= 3
        assert image[90, 90].max() <= 23


@pytest.mark.parametrize(
    "boxes",
    [[(0, 0, 10, 10)] * 2, [(0, 0, 121, 10)], [(-1, 0, 10, 10)], [(10, 10, 10, 20)]],
    ids=["too many", "too wide", "outside", "empty"],
)
def test_a_face_of_another_avatar_is_refused(boxes: list[tuple[int, int, int, int]]) -> None:
    with pytest.raises(ValueError, match="boxes"):
        Compositor(still(smooth(120, 100)), face(*boxes))


def test_the_kept_picture_is_what_the_engines_see() -> None:
    avatar = read_avatar(saved(quarters(200, 120), "PNG"), AvatarLimits())
    (image,) = open_footage(avatar.data, "still").unique()

    assert near([tuple(int(value) for value in image[10, 10])], [(30, 40, 200)], 0)
    assert io.BytesIO(avatar.data).read(4) == b"\x89PNG"
