"""Detection of faces with MediaPipe's networks, BlazeFace and Face Mesh, which OpenCV computes.

BlazeFace finds a face, its eyes say how it is turned, and Face Mesh (Kartynnik et al., "Real-time Facial Surface
Geometry from Monocular Video on Mobile GPUs", arXiv 1907.06724) puts 468 points on it, or says that it is none.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.blazeface import SIDE, Detection, decode
from models.lipsync.face_mesh_points import eyes_of
from models.lipsync.found_face import EYES_ABOVE, EYES_IN_BOX, FoundFace, Points
from models.lipsync.types import Image

DETECTOR_FILE = "face_detection_short_range.tflite"
MESH_FILE = "face_landmark.tflite"

_MESH_SIDE = 192
_MESH_POINTS = 468
# Of the box that BlazeFace draws, and of the mesh's own points: the square that the mesh network is given.
_MESH_REACH = 1.5
_LEAST_PRESENCE = 0.5
# The square in which a face is looked at from nearby, in the ways that it may be turned; from this score on it is
# upright: upside down ones have 0.5 to 0.8.
_CLOSER = 2.2
_QUARTERS = (0.0, 180.0, 90.0, -90.0)
_UPRIGHT = 0.88
# A face of these is found at any tilt: the network knows those up to about 45 degrees.
_ANGLES = (0.0, 90.0, -90.0, 45.0, -45.0, 180.0)
# A face of less than a tenth of the view is too small for the network: parts of the picture are looked at, each half
# over its neighbours.
_PARTS = (2, 4)
# What is so much smaller than the largest face is part of the background.
_LEAST_BESIDE = 0.2
_SAME = 0.5

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _View:
    """A square of a picture that is looked at, in pixels; turned by ``angle`` degrees."""

    x: float
    y: float
    side: float
    angle: float

    def matrix(self, pixels: int) -> Matrix:
        """Return the affine float64[2, 3] from the view, as so many pixels square, to the picture."""
        turn = np.deg2rad(self.angle)
        scale = self.side / pixels
        cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
        linear = np.array([[cosine, -sine], [sine, cosine]])
        return np.column_stack([linear, np.array([self.x, self.y]) - linear @ np.full(2, (pixels - 1) / 2)])

    def cut(self, image: Image, pixels: int) -> Image:
        """Return the view as uint8[pixels, pixels, 3]; black outside of the picture."""
        matrix = self.matrix(pixels)
        times = int(self.side / pixels)
        if times > 1:
            # A linear filter would miss pixels; what is seen of the picture is made smaller first, by a whole number,
            # which is quick.
            reach = self.side * np.sqrt(0.5) + 2
            low = np.maximum(np.floor([self.x - reach, self.y - reach]).astype(int), 0)
            high = np.minimum(np.ceil([self.x + reach, self.y + reach]).astype(int), image.shape[1::-1])
            width, height = (max(0, int(side)) // times for side in high - low)
            if not width or not height:
                return np.zeros((pixels, pixels, 3), np.uint8)
            part = image[low[1] : low[1] + height * times, low[0] : low[0] + width * times]
            image = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
            matrix[:, 2] -= low - 0.5
            matrix /= times
            matrix[:, 2] -= 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, matrix, (pixels, pixels), flags=flags).astype(np.uint8, copy=False)


class MeshFaceFinder:
    """Finds faces at any tilt, and half turned away ones. Safe to call from several threads at once.

    Args:
        folder: Holds ``DETECTOR_FILE`` and ``MESH_FILE``.

    Raises:
        ValueError: A file is not what it should be.
    """

    meshes = True

    def __init__(self, folder: Path) -> None:
        self._detector = _Network(folder / DETECTOR_FILE, SIDE, 1 / 127.5, 127.5)
        self._mesh = _Network(folder / MESH_FILE, _MESH_SIDE, 1 / 255, 0.0)

    def find(self, image: Image, around: FoundFace | None = None) -> list[FoundFace]:
        """Return the faces in a picture, the largest first; see ``FaceFinder``."""
        for views in _searches(image, around):
            found: list[FoundFace] = []
            for view in views:
                for detection in self._detect(image, view):
                    face = self._face(image, view, detection)
                    if face is not None and not any(_is_same(face, other) for other in found):
                        found.append(face)
            if found:
                largest = max(face.size for face in found)
                return sorted((f for f in found if f.size > _LEAST_BESIDE * largest), key=lambda face: -face.size)
        return []

    def _detect(self, image: Image, view: _View) -> list[Detection]:
        outputs = self._detector.compute(view.cut(image, SIDE))
        scores, regressors = sorted(outputs, key=lambda output: output.size)
        return decode(scores.reshape(-1), regressors.reshape(len(scores.reshape(-1)), -1))

    def _face(self, image: Image, view: _View, detection: Detection) -> FoundFace | None:
        """Return the face that was detected, or None where the mesh network sees none."""
        closer = self._closer(image, _around(view, detection, _CLOSER))
        if closer is None:
            return None
        points = self._points(image, _around(*closer, _MESH_REACH))
        if points is None:
            return None
        # Once more around the points themselves: the box is rough.
        low, high = points.min(axis=0), points.max(axis=0)
        points = self._points(image, _upright(eyes_of(points), (low + high) / 2, _extent(points) * _MESH_REACH))
        return None if points is None else _found(points)

    def _closer(self, image: Image, view: _View) -> tuple[_View, Detection] | None:
        """Look again from nearby, and turned: an upside down face is seen too, with its eyes in place of its mouth."""
        best: tuple[_View, Detection] | None = None
        for turn in _QUARTERS:
            turned = replace(view, angle=view.angle + turn)
            for detection in self._detect(image, turned)[:1]:
                if best is None or detection.score > best[1].score:
                    best = turned, detection
            if best is not None and best[1].score > _UPRIGHT:
                break
        return best

    def _points(self, image: Image, view: _View) -> Points | None:
        """Return the mesh in the picture's pixels, float64[468, 2], or None where there is no face."""
        presence, points = sorted(self._mesh.compute(view.cut(image, _MESH_SIDE)), key=lambda output: output.size)
        if 1.0 / (1.0 + np.exp(-float(presence.reshape(-1)[0]))) < _LEAST_PRESENCE:
            return None
        flat = points.reshape(_MESH_POINTS, 3)[:, :2].astype(np.float64) - 0.5
        return _moved(flat, view.matrix(_MESH_SIDE))


class _Network:
    """A TensorFlow Lite network of one square picture, red first.

    Args:
        file: The network.
        side: Pixels of its input.
        scale: What a value from 0 to 255 is multiplied with, after ``shift`` is taken off.
        shift: See ``scale``.
    """

    def __init__(self, file: Path, side: int, scale: float, shift: float) -> None:
        self._side, self._scale, self._shift = side, scale, shift
        try:
            self._net = cv2.dnn.readNetFromTFLite(str(file))
            self._outputs = self._net.getUnconnectedOutLayersNames()
            sizes = sorted(output.size for output in self._forward(np.zeros((side, side, 3), np.uint8)))
        except cv2.error as error:
            raise ValueError(f"{file} is no network that OpenCV reads: {error}") from error
        if len(sizes) != 2:
            raise ValueError(f"{file} is another network: it has {len(sizes)} outputs, not 2")
        self._lock = threading.Lock()

    def compute(self, image: Image) -> list[NDArray[np.float32]]:
        """Return the outputs of a picture, uint8[side, side, 3]."""
        with self._lock:
            return self._forward(image)

    def _forward(self, image: Image) -> list[NDArray[np.float32]]:
        blob = cv2.dnn.blobFromImage(
            image, self._scale, (self._side, self._side), (self._shift, self._shift, self._shift), swapRB=True
        )
        self._net.setInput(blob)
        # The network writes into its own memory again at the next picture.
        return [np.array(output, np.float32) for output in self._net.forward(self._outputs)]


def _searches(image: Image, around: FoundFace | None) -> Iterator[list[_View]]:
    """Yield views of a picture, those that are looked at together; the next ones are for where they show no face."""
    if around is not None:
        across, down = around.eyes[1] - around.eyes[0]
        angle = float(np.rad2deg(np.arctan2(down, across)))
        yield [_View(float(around.centre[0]), float(around.centre[1]), around.size * 1.8, angle)]
        return
    height, width = image.shape[:2]
    for angle in _ANGLES:
        yield [_View((width - 1) / 2, (height - 1) / 2, float(max(width, height)), angle)]
    for parts in _PARTS:
        side = max(width, height) / parts
        yield [_View(x, y, side, 0.0) for y in _middles(height, side) for x in _middles(width, side)]


def _middles(length: int, side: float) -> NDArray[np.float64]:
    """Return the middles of intervals of a length that cover a longer one, each half over the next."""
    if length <= side:
        return np.array([(length - 1) / 2])
    return np.linspace(side / 2, length - side / 2, round(2 * (length - side) / side) + 1)


def _around(view: _View, detection: Detection, reach: float) -> _View:
    """Return the upright square around a face that a view shows, ``reach`` sides of its box wide."""
    matrix = view.matrix(SIDE)
    box = detection.box.reshape(2, 2)
    middle = _moved((box.mean(axis=0) * SIDE - 0.5)[None], matrix)[0]
    eyes = _moved(detection.keypoints[:2] * SIDE - 0.5, matrix)
    return _upright(eyes, middle, float((box[1] - box[0]).max()) * view.side * reach)


def _upright(eyes: Points, middle: Points, side: float) -> _View:
    across, down = eyes[1] - eyes[0]
    return _View(float(middle[0]), float(middle[1]), side, float(np.rad2deg(np.arctan2(down, across))))


def _moved(points: NDArray[np.floating], matrix: Matrix) -> Points:
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _extent(points: Points) -> float:
    """Return the longer side of the upright box around a face's points."""
    across = eyes_of(points)
    along = (across[1] - across[0]) / max(1e-6, float(np.hypot(*(across[1] - across[0]))))
    turned = points @ np.array([[along[0], -along[1]], [along[1], along[0]]])
    return float(np.ptp(turned, axis=0).max())


def _found(points: Points) -> FoundFace:
    eyes = eyes_of(points)
    across = eyes[1] - eyes[0]
    # A face that is turned away has its eyes close together, and is no smaller for it.
    size = max(float(np.hypot(*across)) / EYES_IN_BOX, 0.8 * _extent(points))
    down = np.array([-across[1], across[0]]) / max(1e-6, float(np.hypot(*across)))
    return FoundFace(eyes.mean(axis=0) + EYES_ABOVE * size * down, size, eyes, points)


def _is_same(one: FoundFace, other: FoundFace) -> bool:
    apart = float(np.hypot(*(one.centre - other.centre)))
    return apart < _SAME * max(one.size, other.size)
