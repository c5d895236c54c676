"""Detection of faces and eyes with OpenCV's Haar cascades."""

import math
import threading
from collections.abc import Iterator, Sequence

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

from models.lipsync.found_face import FoundFace, Points
from models.lipsync.types import Image

_SEARCHED_SIDE = 640
_LEAST_SEARCHED = 26
# What is so much smaller than the largest face, or more, is part of the background.
_LEAST_BESIDE = 0.2
# Of a face box as the cascades draw it: where eyes are, in widths of the box.
_EYES = np.array([[0.31, 0.39], [0.69, 0.39]])
_ANGLES = (0.0, -22.0, 22.0, -40.0, 40.0)
_EYE_CROP = 220
_CASCADES = {
    "face": "haarcascade_frontalface_alt2.xml",
    "face_too": "haarcascade_frontalface_default.xml",
    "eye": "haarcascade_eye_tree_eyeglasses.xml",
    "eye_too": "haarcascade_eye.xml",
}

Gray = NDArray[np.uint8]


class HaarFaceFinder:
    """Finds upright and tilted faces that look ahead. Safe to call from several threads at once."""

    meshes = False

    def __init__(self) -> None:
        # A cascade keeps the picture that it works on, so every thread has its own.
        self._local = threading.local()

    def find(self, image: Image, around: FoundFace | None = None) -> list[FoundFace]:
        """Return the faces in a picture, the largest first.

        Args:
            image: The picture.
            around: Where the one face is that is looked for; quicker than the whole picture.
        """
        left, top, part = 0, 0, image
        if around is not None:
            reach = around.size * 0.9
            left, top = (max(0, int(value - reach)) for value in around.centre)
            part = image[top : int(around.centre[1] + reach), left : int(around.centre[0] + reach)]
        gray = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
        for angle in _ANGLES:
            if faces := self._turned(gray, angle, around.size if around else None):
                moved = np.array([left, top], np.float64)
                return [FoundFace(face.centre + moved, face.size, face.eyes + moved) for face in faces]
        return []

    def _turned(self, gray: Gray, angle: float, size: float | None) -> list[FoundFace]:
        """Return the faces in a picture that is turned by an angle in degrees, in the picture's own pixels."""
        scale = min(1.0, _SEARCHED_SIDE / max(gray.shape))
        height, width = (max(1, round(side * scale)) for side in gray.shape)
        small = cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA)
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        if angle:
            small = cv2.warpAffine(small, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        turned = small.astype(np.uint8, copy=False)
        back = cv2.invertAffineTransform(turn)
        found = []
        for box, sure in self._boxes(turned, None if size is None else size * scale):
            eyes = self._eyes(turned, box)
            if eyes is None and not sure:
                continue
            points = np.vstack([box[:2] + box[2] / 2, _guessed_eyes(box) if eyes is None else eyes])
            points = (points @ back[:, :2].T + back[:, 2]) / scale
            found.append(FoundFace(points[0], float(box[2]) / scale, points[1:]))
        largest = max((face.size for face in found), default=0.0)
        found = [face for face in found if face.size > _LEAST_BESIDE * largest]
        return sorted(found, key=lambda face: -face.size)

    def _boxes(self, gray: Gray, size: float | None) -> Iterator[tuple[Points, bool]]:
        """Yield squares that may be faces, as left, top, side; and whether both cascades say so."""
        least = _LEAST_SEARCHED if size is None else max(_LEAST_SEARCHED, int(size * 0.7))
        most = max(gray.shape) if size is None else int(size * 1.4) + 1
        low, high = (least, least), (most, most)
        first = list(self._cascade("face").detectMultiScale(gray, 1.1, 4, minSize=low, maxSize=high))
        second = list(self._cascade("face_too").detectMultiScale(gray, 1.1, 5, minSize=low, maxSize=high))
        for box in first:
            yield np.array(box[:3], np.float64), any(_overlap(box, other) > 0.5 for other in second)
        for box in second:
            if all(_overlap(box, other) < 0.3 for other in first):
                yield np.array(box[:3], np.float64), False

    def _eyes(self, gray: Gray, box: Points) -> Points | None:
        """Return the middles of a face's two eyes, or None where fewer than two are seen."""
        left, top, side = (int(value) for value in box)
        crop = gray[top : top + int(side * 0.62), left : left + side]
        scale = _EYE_CROP / side
        enlarged = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        least = (int(_EYE_CROP * 0.12), int(_EYE_CROP * 0.12))
        most = (int(_EYE_CROP * 0.42), int(_EYE_CROP * 0.42))
        seen: list[Points] = []
        for name in ("eye", "eye_too"):
            eyes = self._cascade(name).detectMultiScale(enlarged, 1.05, 3, minSize=least, maxSize=most)
            seen += [np.array([x + w / 2, y + h * 0.52]) / _EYE_CROP for x, y, w, h in eyes]
            if (pair := _best_pair(seen)) is not None:
                return pair * side + box[:2]
        return None

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        if not hasattr(self._local, name):
            setattr(self._local, name, cv2.CascadeClassifier(cv2.data.haarcascades + _CASCADES[name]))
        cascade: cv2.CascadeClassifier = getattr(self._local, name)
        return cascade


def _guessed_eyes(box: Points) -> Points:
    eyes: Points = box[:2] + _EYES * box[2]
    return eyes


def _best_pair(seen: list[Points]) -> Points | None:
    """Return the two points that lie most like the eyes of a face; units are widths of its box."""
    best, least = None, 0.22
    for left in seen:
        for right in seen:
            across = right - left
            if not 0.25 < across[0] < 0.55 or abs(math.atan2(across[1], across[0])) > 0.45:
                continue
            away = float(np.abs(np.vstack([left, right]) - _EYES).sum(axis=1).mean())
            if away < least:
                best, least = np.vstack([left, right]), away
    return best


def _overlap(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the share of two squares' area that both cover."""
    sides = [max(0, min(one[axis] + one[2], other[axis] + other[2]) - max(one[axis], other[axis])) for axis in (0, 1)]
    common = float(sides[0]) * float(sides[1])
    return common / (float(one[2]) ** 2 + float(other[2]) ** 2 - common)
