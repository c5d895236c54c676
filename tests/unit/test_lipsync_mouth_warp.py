"""The mouth warp finds a face, opens its mouth with the speech, and blinks."""

import itertools
import math
import threading

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError
from models.lipsync import MouthWarpSettings, Patches, PreparedFace, Shot, build, footage_index, mouth_warp
from models.lipsync.blinks import CLOSINGS, eyes_closed
from models.lipsync.mouth_painter import MouthPainter
from models.lipsync.mouth_warp import MIN_EYE_DISTANCE, MouthWarpEngine
from models.lipsync.mouth_warp_face import WarpFace
from tests.avatar_pictures import face_picture, moving_faces, no_face, two_faces

pytestmark = [pytest.mark.unit, pytest.mark.slow]

RATE = 16_000


@pytest.fixture(scope="module")
def engine() -> MouthWarpEngine:
    return MouthWarpEngine(MouthWarpSettings())


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return face_picture(420, 480)


@pytest.fixture(scope="module")
def face(engine: MouthWarpEngine, portrait: NDArray[np.uint8]) -> PreparedFace:
    return engine.prepare([portrait])


@pytest.fixture(scope="module")
def clip_frames() -> list[NDArray[np.uint8]]:
    return moving_faces(16)


@pytest.fixture(scope="module")
def clip_face(engine: MouthWarpEngine, clip_frames: list[NDArray[np.uint8]]) -> PreparedFace:
    return engine.prepare(iter(clip_frames))


def vowel(seconds: float, pitch: float = 120.0) -> NDArray[np.float32]:
    """Return an /a/-like sound: harmonics under formants at 750 and 1200 Hz, at about -20 dBFS."""
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for harmonic in range(1, 30):
        height = pitch * harmonic
        strength = math.exp(-(((height - 750) / 250) ** 2)) + 0.6 * math.exp(-(((height - 1200) / 300) ** 2)) + 0.03
        sound += strength * np.sin(2 * np.pi * height * time)
    return np.asarray(0.1 * sound / np.sqrt(np.mean(sound**2)), np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


def whole(pcm: NDArray[np.float32], first: int = 0, count: int | None = None) -> Shot:
    frames = len(pcm) * 25 // RATE if count is None else count
    return Shot(pcm, 0, True, first, frames)


def frames_of(patches: Patches) -> NDArray[np.uint8]:
    return patches.images[patches.order]


def original(picture: NDArray[np.uint8], face: PreparedFace) -> NDArray[np.uint8]:
    left, top, right, bottom = face.boxes[0]
    return picture[top:bottom, left:right]


def mouth_of(face: PreparedFace, index: int = 0) -> tuple[int, int, int]:
    """Return x, y of a mouth's middle in its patch, and half its width, in pixels."""
    place = WarpFace.from_arrays(face.arrays).places[index]
    middle = (place.mouth.left + place.mouth.right) / 2
    x, y = place.frame.to_picture(np.array([[middle, place.mouth.line[len(place.mouth.line) // 2]]]))[0]
    return round(x), round(y), round((place.mouth.right - place.mouth.left) / 2 * place.frame.scale)


def dark_in_mouth(image: NDArray[np.uint8], face: PreparedFace, index: int = 0) -> int:
    """Return how many pixels around the mouth are nearly black."""
    x, y, half = mouth_of(face, index)
    return int((image[y - half // 3 : y + half, x - half : x + half].max(axis=2) < 70).sum())


def test_the_built_engine_names_itself() -> None:
    assert isinstance(build(MouthWarpSettings()), MouthWarpEngine)
    built = build(MouthWarpSettings())
    assert (built.fingerprint, built.device) == ("mouth-warp-1", "cpu")


def test_the_mouth_is_found_where_the_picture_has_it(portrait: NDArray[np.uint8], face: PreparedFace) -> None:
    x, y, half = mouth_of(face)
    left, top = face.boxes[0][:2]
    lips = cv2.cvtColor(portrait, cv2.COLOR_BGR2LAB)[..., 1].astype(np.float64)
    # The lips are the reddest patch in the lower half of the face.
    height, width = lips.shape
    lower = cv2.GaussianBlur(lips, (0, 0), width / 60)[height // 2 : height * 3 // 4, width // 4 : width * 3 // 4]
    row, column = np.unravel_index(np.argmax(lower), lower.shape)
    assert abs(left + x - (column + width // 4)) < width * 0.08
    assert abs(top + y - (row + height // 2)) < height * 0.05
    assert width * 0.05 < half < width * 0.15


@pytest.mark.parametrize("angle", [-15.0, 12.0])
def test_a_tilted_face_has_its_mouth_tilted_likewise(
    engine: MouthWarpEngine, portrait: NDArray[np.uint8], face: PreparedFace, angle: float
) -> None:
    height, width = portrait.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    turned = cv2.warpAffine(portrait, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    tilted = engine.prepare([turned.astype(np.uint8)])
    expected = turn[:, :2] @ (np.array(mouth_of(face)[:2]) + face.boxes[0][:2]) + turn[:, 2]
    found = np.array(mouth_of(tilted)[:2]) + tilted.boxes[0][:2]
    assert np.abs(found - expected).max() < 0.03 * width
    frame = WarpFace.from_arrays(tilted.arrays).places[0].frame
    assert math.degrees(math.atan2(-frame.sine, frame.cosine)) == pytest.approx(angle, abs=4)


def test_the_largest_of_several_faces_speaks(engine: MouthWarpEngine) -> None:
    picture, (left, top, right, bottom) = two_faces()
    found = engine.prepare([picture])
    x, y = np.array(mouth_of(found)[:2]) + found.boxes[0][:2]
    assert found.faces == 2
    assert left < x < right and (top + bottom) / 2 < y < bottom


def test_a_picture_without_a_face_is_refused(engine: MouthWarpEngine) -> None:
    with pytest.raises(InputError) as caught:
        engine.prepare([no_face()])
    assert (caught.value.code, caught.value.field) == ("no_face", "file")


def test_a_face_that_is_too_small_is_refused_with_the_limit(engine: MouthWarpEngine) -> None:
    picture = np.full((400, 400, 3), 200, np.uint8)
    picture[150:240, 150:231] = face_picture(81, 90)
    with pytest.raises(InputError, match=f"at least {MIN_EYE_DISTANCE:.0f}") as caught:
        engine.prepare([picture])
    assert caught.value.code == "face_too_small"


def test_boxes_lie_within_the_frame_and_masks_fit_them(portrait: NDArray[np.uint8], face: PreparedFace) -> None:
    left, top, right, bottom = face.boxes[0]
    assert 0 <= left < right <= portrait.shape[1] and 0 <= top < bottom <= portrait.shape[0]
    assert face.mask.shape == (bottom - top, right - left)
    assert face.mask.max() == 255 and face.mask[:, 0].max() < 128


def test_a_prepared_face_survives_being_a_file(engine: MouthWarpEngine, face: PreparedFace) -> None:
    again = PreparedFace.from_bytes(face.to_bytes())
    shot = whole(np.concatenate([silence(0.2), vowel(0.4)]))
    one, other = engine.animate([(face, shot), (again, shot)])
    np.testing.assert_array_equal(frames_of(one), frames_of(other))


def test_a_face_of_another_engine_is_refused(engine: MouthWarpEngine, face: PreparedFace) -> None:
    strange = PreparedFace(face.boxes, face.mask, 1, {"map": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="not a face of the mouth warp"):
        engine.animate([(strange, whole(silence(0.2)))])


def test_silence_shows_the_picture_as_it_is(portrait: NDArray[np.uint8], face: PreparedFace) -> None:
    unblinking = MouthWarpEngine(MouthWarpSettings(blinks_per_minute=0))
    noise = 0.001 * np.random.default_rng(1).standard_normal(2 * RATE).astype(np.float32)
    for pcm in (silence(2.0), noise):
        (patches,) = unblinking.animate([(face, whole(pcm))])
        assert len(patches.images) == 1 and len(patches.order) == 50
        np.testing.assert_array_equal(patches.images[0], original(portrait, face))


def test_a_loud_vowel_opens_the_mouth_and_the_end_shuts_it(
    engine: MouthWarpEngine, portrait: NDArray[np.uint8], face: PreparedFace
) -> None:
    pcm = np.concatenate([silence(0.4), vowel(0.6), silence(0.4)])
    (patches,) = engine.animate([(face, whole(pcm))])
    dark = [dark_in_mouth(image, face) for image in frames_of(patches)]
    _, _, half = mouth_of(face)
    shut = dark_in_mouth(original(portrait, face), face)
    assert dark[0] == dark[-1] == shut
    assert min(dark[12:22]) - shut > 0.25 * half**2


def test_a_wider_setting_opens_the_mouth_wider(face: PreparedFace) -> None:
    shot = whole(vowel(0.4))
    narrow, wide = (
        MouthWarpEngine(MouthWarpSettings(opening=opening)).animate([(face, shot)])[0] for opening in (0.5, 1.5)
    )
    assert dark_in_mouth(frames_of(wide)[5], face) > 1.5 * dark_in_mouth(frames_of(narrow)[5], face)


def test_the_border_of_a_patch_never_moves(
    engine: MouthWarpEngine, portrait: NDArray[np.uint8], face: PreparedFace
) -> None:
    (patches,) = engine.animate([(face, whole(vowel(0.4)))])
    still = original(portrait, face).astype(int)
    for image in patches.images:
        moved = np.abs(image.astype(int) - still).max(axis=2)
        assert moved[:, :3].max() <= 2 and moved[:, -3:].max() <= 2 and moved[:3].max() <= 2 and moved[-3:].max() <= 2


def test_a_blink_covers_the_eyes_and_nothing_else(
    engine: MouthWarpEngine, portrait: NDArray[np.uint8], face: PreparedFace
) -> None:
    warp = WarpFace.from_arrays(face.arrays)
    assert len(warp.eyes) == 2
    closed = next(n for n in range(500) if CLOSINGS[eyes_closed(n, warp.key, 14.0)] == 1.0)
    (patches,) = engine.animate([(face, Shot(silence(0.04), closed * 640, True, closed, 1))])
    image, still = patches.images[0].astype(int), original(portrait, face).astype(int)
    frame = warp.places[0].frame
    for eye in warp.eyes:
        x, y = np.round(frame.to_picture(np.array([[eye.x, eye.y]]))[0]).astype(int)
        reach = round(8 * frame.scale)
        iris = (slice(y - reach // 2, y + reach // 4), slice(x - reach // 2, x + reach // 2))
        assert image[iris].mean() > still[iris].mean() + 25
    lowest = round(frame.to_picture(np.array([[0.0, 30.0]]))[0, 1])
    np.testing.assert_array_equal(image[lowest:], still[lowest:])


@pytest.mark.parametrize("seed", [b"a", b"b"])
def test_eyes_blink_as_often_as_asked_and_briefly(seed: bytes) -> None:
    closed = np.array([eyes_closed(number, seed, 14.0) for number in range(25 * 60)]) > 0
    begins = np.flatnonzero(closed[1:] & ~closed[:-1])
    assert len(begins) == 14
    assert closed.sum() == 14 * 5
    assert np.diff(begins).std() > 10
    assert not any(eyes_closed(number, seed, 0.0) for number in range(500))


def test_frames_are_the_same_however_a_film_is_cut(engine: MouthWarpEngine, face: PreparedFace) -> None:
    generator = np.random.default_rng(5)
    pcm = np.concatenate([silence(0.3), vowel(0.5), silence(0.1), vowel(0.8, 200.0), silence(0.5), vowel(0.6, 90.0)])
    pcm += (0.002 * generator.standard_normal(len(pcm))).astype(np.float32)
    count = len(pcm) * 25 // RATE
    expected = frames_of(engine.animate([(face, whole(pcm))])[0])
    cuts = [0, 1, 9, 10, 31, count]
    shots = []
    for first, end in itertools.pairwise(cuts):
        begin, stop = max(0, first * 640 - RATE), min(len(pcm), end * 640 + 4800)
        shots.append((face, Shot(pcm[begin:stop], begin, stop == len(pcm), first, end - first)))
    # By another replica, which has drawn nothing before.
    drawn = MouthWarpEngine(MouthWarpSettings()).animate(shots)
    np.testing.assert_array_equal(np.concatenate([frames_of(patches) for patches in drawn]), expected)


def test_a_clip_is_followed_and_speaks(
    engine: MouthWarpEngine, clip_face: PreparedFace, clip_frames: list[NDArray[np.uint8]]
) -> None:
    sizes = {(right - left, bottom - top) for left, top, right, bottom in clip_face.boxes.tolist()}
    assert len(clip_face.boxes) == len(clip_frames) and len(sizes) == 1
    places = np.array(
        [np.array(mouth_of(clip_face, i)[:2]) + clip_face.boxes[i][:2] for i in range(len(clip_frames))], np.float64
    )
    # The picture sways by 10 pixels and 5, to the left first.
    sway = places - places.mean(axis=0)
    turn = 2 * np.pi * np.arange(len(clip_frames)) / len(clip_frames)
    assert np.corrcoef(sway[:, 0], np.sin(turn))[0, 1] > 0.97
    (patches,) = engine.animate([(clip_face, whole(np.concatenate([silence(0.4), vowel(0.8)])))])
    images = frames_of(patches)
    for number in (2, 3):
        left, top, right, bottom = clip_face.boxes[footage_index(number, len(clip_frames))]
        away = images[number].astype(int) - clip_frames[number][top:bottom, left:right]
        assert np.abs(away).mean() < 3
    number = 20
    index = footage_index(number, len(clip_frames))
    left, top, right, bottom = clip_face.boxes[index]
    shut = dark_in_mouth(clip_frames[index][top:bottom, left:right], clip_face, index)
    assert dark_in_mouth(images[number], clip_face, index) > shut + 0.2 * mouth_of(clip_face)[2] ** 2


def test_a_clip_whose_face_is_covered_for_a_moment_is_fine(
    engine: MouthWarpEngine, clip_frames: list[NDArray[np.uint8]], clip_face: PreparedFace
) -> None:
    covered = [frame.copy() for frame in clip_frames]
    for frame in covered[6:10]:
        frame[:] = 128
    prepared = engine.prepare(covered)
    for index in (0, 4, 12, 15):
        moved = np.array(mouth_of(prepared, index)[:2]) + prepared.boxes[index][:2]
        expected = np.array(mouth_of(clip_face, index)[:2]) + clip_face.boxes[index][:2]
        assert np.abs(moved - expected).max() < 12


def test_a_clip_that_loses_its_face_says_when(engine: MouthWarpEngine, clip_frames: list[NDArray[np.uint8]]) -> None:
    gone = np.full_like(clip_frames[0], 128)
    with pytest.raises(InputError, match=r"from second 0\.3") as caught:
        engine.prepare([*clip_frames[:8], *[gone] * 20])
    assert caught.value.code == "no_face"
    with pytest.raises(InputError, match=r"from second 0\.0"):
        engine.prepare([gone] * 20)


def test_drawings_of_a_still_are_kept_within_a_bound(face: PreparedFace, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    paint = MouthPainter.draw
    monkeypatch.setattr(
        MouthPainter, "draw", lambda self, opening, width: drawn.append(opening) or paint(self, opening, width)
    )
    shot = whole(np.concatenate([silence(0.2), vowel(0.6)]))
    roomy = MouthWarpEngine(MouthWarpSettings())
    first = roomy.animate([(face, shot)])[0]
    states = len(drawn)
    roomy.animate([(face, shot)])
    assert 1 < len(drawn) == states

    monkeypatch.setattr(mouth_warp, "_MOUTHS_BYTES", first.images[0].nbytes)
    narrow = MouthWarpEngine(MouthWarpSettings())
    again = narrow.animate([(face, shot)])[0]
    narrow.animate([(face, shot)])
    assert len(drawn) >= 3 * states - 1
    np.testing.assert_array_equal(frames_of(first), frames_of(again))


def test_threads_share_an_engine(engine: MouthWarpEngine, face: PreparedFace) -> None:
    shot = whole(np.concatenate([silence(0.2), vowel(0.6)]))
    expected = frames_of(engine.animate([(face, shot)])[0])
    fresh = MouthWarpEngine(MouthWarpSettings())
    drawn: list[NDArray[np.uint8]] = []
    threads = [
        threading.Thread(target=lambda: drawn.append(frames_of(fresh.animate([(face, shot)])[0]))) for _ in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 3
    for frames in drawn:
        np.testing.assert_array_equal(frames, expected)
