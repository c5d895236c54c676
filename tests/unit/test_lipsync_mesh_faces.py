"""Faces found by MediaPipe's networks, and the decoding of what they say."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.errors import InputError, MissingWeights
from models.lipsync import MouthWarpSettings, build
from models.lipsync.blazeface import SIDE, anchors, decode
from models.lipsync.face_frame import FaceFrame
from models.lipsync.face_mesh_points import CHIN, LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from models.lipsync.haar_faces import HaarFaceFinder
from models.lipsync.mesh_faces import MeshFaceFinder
from models.lipsync.mouth_line import find_mouth, guide_of_mesh
from models.lipsync.mouth_painter import MouthPainter
from models.lipsync.mouth_warp_face import WarpFace
from models.lipsync.settings import MeshFacesSettings
from tests.avatar_pictures import face_picture, moving_faces, no_face, two_faces
from tests.pinned_weights import pinned_weights

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def finder() -> MeshFaceFinder:
    return MeshFaceFinder(pinned_weights("face-mesh"))


def turned(picture: Picture, angle: float) -> tuple[Picture, NDArray[np.float64]]:
    """Return a picture turned by degrees within its frame, and the affine that did it."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 0.8)
    return cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE).astype(np.uint8), turn


def eyes_of(picture: Picture) -> NDArray[np.float64]:
    """Return the eyes of a portrait that Haar's cascades find well."""
    return HaarFaceFinder().find(picture)[0].eyes


def silent() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the network's output for a picture without a face."""
    return np.full(896, -50.0, np.float32), np.zeros((896, 16), np.float32)


def test_anchors_are_the_middles_of_two_grids() -> None:
    places = anchors()
    assert places.shape == (896, 2)
    assert places[0].tolist() == places[1].tolist() == [1 / 32, 1 / 32]
    assert places[2].tolist() == [3 / 32, 1 / 32]
    assert places[512].tolist() == places[517].tolist() == [1 / 16, 1 / 16]
    assert places[-1].tolist() == [15 / 16, 15 / 16]


def test_a_sure_anchor_is_a_face_at_its_place() -> None:
    scores, regressors = silent()
    # Column 3, row 2 of the coarse grid: its middle is at 7/16, 5/16.
    index = 512 + 6 * (2 * 8 + 3)
    scores[index] = 3.0
    regressors[index, :4] = [SIDE / 16, -SIDE / 16, SIDE / 4, SIDE / 2]
    regressors[index, 4:6] = [-SIDE / 8, 0]
    (face,) = decode(scores, regressors)
    assert face.score == pytest.approx(1 / (1 + np.exp(-3.0)))
    assert face.box == pytest.approx([0.5 - 0.125, 0.25 - 0.25, 0.5 + 0.125, 0.25 + 0.25])
    assert face.keypoints[0] == pytest.approx([7 / 16 - 1 / 8, 5 / 16])
    assert face.keypoints[5] == pytest.approx([7 / 16, 5 / 16])


def test_boxes_of_one_face_are_weighed_by_their_scores_and_others_stay() -> None:
    scores, regressors = silent()
    regressors[:, 2:4] = SIDE / 4
    scores[[512, 513, 895]] = [2.0, 0.5, 4.0]
    regressors[513, 0] = SIDE / 16
    far, near = decode(scores, regressors)
    assert far.box == pytest.approx([15 / 16 - 1 / 8, 15 / 16 - 1 / 8, 15 / 16 + 1 / 8, 15 / 16 + 1 / 8])
    weights = 1 / (1 + np.exp(-np.array([2.0, 0.5])))
    moved = weights[1] / weights.sum() / 16
    assert near.box == pytest.approx([1 / 16 - 1 / 8 + moved, 1 / 16 - 1 / 8, 1 / 16 + 1 / 8 + moved, 1 / 16 + 1 / 8])


def test_no_score_above_a_half_is_no_face() -> None:
    scores, regressors = silent()
    assert decode(scores, regressors) == []
    scores[7] = -0.01
    assert decode(scores, regressors) == []


@pytest.mark.parametrize("angle", [0.0, 30.0, -60.0, 90.0, -90.0, 180.0, 135.0])
def test_a_face_is_found_however_it_is_turned(finder: MeshFaceFinder, angle: float) -> None:
    portrait = face_picture()
    picture, turn = turned(portrait, angle)
    expected = eyes_of(portrait) @ turn[:, :2].T + turn[:, 2]
    (face,) = finder.find(picture)
    assert np.abs(face.eyes - expected).max() < 0.1 * np.hypot(*(expected[1] - expected[0]))


@pytest.mark.parametrize("spoilt", ["dark", "blurred", "grey", "noisy"])
def test_a_face_in_a_bad_picture_is_found(finder: MeshFaceFinder, spoilt: str) -> None:
    portrait = face_picture().astype(np.float64)
    picture = {
        "dark": portrait * 0.06,
        "blurred": cv2.GaussianBlur(portrait, (0, 0), 7),
        "grey": np.repeat(portrait.mean(axis=2, keepdims=True), 3, axis=2),
        "noisy": portrait + np.random.default_rng(0).normal(0, 50, portrait.shape),
    }[spoilt]
    faces = finder.find(np.clip(picture, 0, 255).astype(np.uint8))
    assert len(faces) == 1
    expected = eyes_of(face_picture())
    assert np.abs(faces[0].eyes - expected).max() < 0.15 * np.hypot(*(expected[1] - expected[0]))


def test_a_small_face_in_a_large_picture_is_found(finder: MeshFaceFinder) -> None:
    picture = np.full((900, 1280, 3), (90, 110, 120), np.uint8)
    small = face_picture(110, 130)
    picture[500:630, 900:1010] = small
    (face,) = finder.find(picture)
    expected = eyes_of(face_picture(440, 520)) / 4 + [900, 500]
    assert np.abs(face.eyes - expected).max() < 4


def test_the_largest_of_several_faces_is_first(finder: MeshFaceFinder) -> None:
    picture, (left, top, right, bottom) = two_faces()
    faces = finder.find(picture)
    assert len(faces) == 2 and faces[0].size > faces[1].size
    assert left < faces[0].centre[0] < right and top < faces[0].centre[1] < bottom


def test_what_is_no_face_is_refused(finder: MeshFaceFinder) -> None:
    for picture in (no_face(), np.zeros((300, 300, 3), np.uint8), face_picture(720, 800)[560:]):
        assert finder.find(picture) == []
    engine = build(MouthWarpSettings(faces=MeshFacesSettings(weights=str(pinned_weights("face-mesh")))))
    with pytest.raises(InputError) as refused:
        engine.prepare([no_face()])
    assert refused.value.code == "no_face"


def test_the_mouth_of_a_mesh_guides_the_line_between_the_lips(finder: MeshFaceFinder) -> None:
    picture = face_picture()
    (face,) = finder.find(picture)
    frame = FaceFrame.of_eyes(face.eyes)
    assert face.mesh is not None
    mouth = find_mouth(picture, frame, guide_of_mesh(face.mesh, frame))
    usual = find_mouth(picture, FaceFrame.of_eyes(eyes_of(picture)))
    assert mouth.left == pytest.approx(usual.left, abs=7) and mouth.right == pytest.approx(usual.right, abs=7)
    assert mouth.line[8] == pytest.approx(usual.line[8], abs=5)
    assert not mouth.teeth


def test_a_mesh_puts_the_mouth_where_it_says_in_a_picture_that_says_nothing() -> None:
    frame = FaceFrame(200.0, 150.0, 0.0, 1.0)
    mesh = np.zeros((468, 2))
    for points, down in ((UPPER_LIP, 95.0), (LOWER_LIP, 97.0)):
        mesh[list(points)] = np.stack([np.linspace(-30, 34, len(points)), np.full(len(points), down)], axis=1)
    mesh[list(MOUTH_CORNERS)] = [[-35.0, 94.0], [39.0, 96.0]]
    mesh[CHIN] = [2.0, 150.0]
    guide = guide_of_mesh(frame.to_picture(mesh), frame)
    mouth = find_mouth(np.full((400, 400, 3), 120, np.uint8), frame, guide)
    assert (mouth.left, mouth.right, mouth.chin) == pytest.approx((-35.0, 39.0, 150.0))
    assert mouth.line == pytest.approx(np.full(len(mouth.line), 96.0), abs=4)
    assert guide.shut and not mouth.teeth


def test_a_face_that_is_upside_down_opens_its_mouth(finder: MeshFaceFinder) -> None:
    picture = np.ascontiguousarray(face_picture()[::-1, ::-1])
    (face,) = finder.find(picture)
    frame = FaceFrame.of_eyes(face.eyes)
    assert face.mesh is not None
    mouth = find_mouth(picture, frame, guide_of_mesh(face.mesh, frame))
    opened = MouthPainter(picture, frame, mouth).draw(1.0, 0.0)
    x, y = frame.to_picture(np.array([[0.0, float(mouth.line[8]) + 8]]))[0].astype(int)
    assert opened[y - 4 : y + 5, x - 4 : x + 5].mean() < picture[y - 4 : y + 5, x - 4 : x + 5].mean() - 40


def test_a_clip_is_followed_by_the_mesh() -> None:
    engine = build(MouthWarpSettings(faces=MeshFacesSettings(weights=str(pinned_weights("face-mesh")))))
    assert engine.fingerprint == "mouth-warp-1-mesh"
    frames = moving_faces(16)
    face = engine.prepare(iter(frames))
    places = WarpFace.from_arrays(face.arrays).places
    assert face.faces == 1 and len(places) == len(frames)
    for number in (0, 7, 15):
        moved = places[number].frame.to_picture(np.zeros((1, 2)))[0] + face.boxes[number][:2]
        assert np.abs(moved - eyes_of(frames[number]).mean(axis=0)).max() < 5


def test_weights_that_are_not_there_are_named() -> None:
    with pytest.raises(MissingWeights, match="set://face-mesh"):
        build(MouthWarpSettings(faces=MeshFacesSettings(weights="/nowhere/face-mesh")))
