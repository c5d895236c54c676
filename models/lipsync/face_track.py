"""Tracking of a face through a clip."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.lipsync.face_frame import FaceFrame
from models.lipsync.found_face import FaceFinder, FoundFace, frame_of
from models.lipsync.types import FRAMES_PER_SECOND, Image

_LOOKED_EVERY = 5
_LOST_S = 0.7
_SPREAD = 7.0
_FOLLOWED_SIZE = 160.0
_LEAST_POINTS = 8

Gray = NDArray[np.uint8]
Affine = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """Position of the face in each frame of a clip.

    Attributes:
        frames: Of each of the clip's frames.
        faces: How many faces were seen at once.
    """

    frames: tuple[FaceFrame, ...]
    faces: int


class FaceTracker:
    """Follows the largest face of a clip: detected in some frames, tracked by optical flow in between.

    Args:
        finder: Looks for it.
        least: Pixels from eye to eye that it must have.
    """

    def __init__(self, finder: FaceFinder, least: float) -> None:
        self._finder, self._least = finder, least
        self._faces = 0
        self._face: FoundFace | None = None
        self._before: Gray | None = None
        # The last frame in which the face was seen or followed.
        self._there = -1
        # From the first frame to each: its motion; and the eyes as seen in some, taken back to the first.
        self._moved: list[Affine] = []
        self._seen: dict[int, NDArray[np.float64]] = {}

    def add(self, image: Image) -> FoundFace | None:
        """Take the next frame; returns where the face is in it, as far as that is known yet.

        Raises:
            InputError: The face is too small (``face_too_small``), or has been gone for too long (``no_face``).
        """
        number = len(self._moved)
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
        step = self._step(gray)
        last = self._moved[-1] if self._moved else np.eye(3)
        self._moved.append(last if step is None else step @ last)
        if self._face is not None and step is not None:
            self._face = _carried(self._face, step)
        if number % _LOOKED_EVERY == 0 or (step is None and self._there == number - 1):
            self._look(image, number)
        if step is not None or number in self._seen:
            self._there = number
        last_seen = max(self._seen, default=-1)
        if number - last_seen > _LOST_S * FRAMES_PER_SECOND:
            raise _lost(1 + (last_seen if self._there == number else self._there))
        self._before = gray
        return self._face

    def finish(self) -> Track:
        """Return the whole track, evened out over time.

        Raises:
            InputError: There was no face (``no_face``).
        """
        if not self._seen:
            raise _lost(0)
        numbers = np.array(list(self._seen))
        eyes = np.stack(list(self._seen.values()))
        frames = []
        for number, moved in enumerate(self._moved):
            weight = np.exp(-0.5 * ((numbers - number) / _SPREAD) ** 2) + 1e-9
            mean = np.tensordot(weight / weight.sum(), eyes, axes=1)
            frames.append(FaceFrame.of_eyes(_apply(moved, np.asarray(mean, np.float64))))
        return Track(tuple(frames), self._faces)

    def _look(self, image: Image, number: int) -> None:
        faces = self._finder.find(image, self._face)
        if not faces and self._face is not None:
            faces = self._finder.find(image)
        if not faces:
            return
        if self._face is not None:
            middle = self._face.centre
            faces.sort(key=lambda face: float(np.hypot(*(face.centre - middle))))
        if frame_of(faces[0], self._least, f" at second {number / FRAMES_PER_SECOND:.1f}") is None:
            return
        self._face, self._faces = faces[0], max(self._faces, len(faces))
        self._seen[number] = _apply(np.asarray(np.linalg.inv(self._moved[-1]), np.float64), faces[0].eyes)

    def _step(self, gray: Gray) -> Affine | None:
        """Return how the face moved since the frame before, as a matrix of 3 by 3, or None where that isn't seen."""
        if self._before is None or self._face is None:
            return None
        reach = self._face.size * 0.7
        low = np.maximum(self._face.centre - reach, 0).astype(int)
        high = np.ceil(self._face.centre + reach).astype(int)
        scale = min(1.0, _FOLLOWED_SIZE / self._face.size)
        before, after = (
            cv2.resize(
                plane[low[1] : high[1], low[0] : high[0]], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
            )
            for plane in (self._before, gray)
        )
        mask = np.zeros(before.shape, np.uint8)
        centre, half = (self._face.centre - low) * scale, self._face.size * scale * 0.5
        cv2.ellipse(mask, (int(centre[0]), int(centre[1])), (int(half * 0.8), int(half * 1.05)), 0, 0, 360, 255, -1)
        points = cv2.goodFeaturesToTrack(before, 60, 0.01, 5, mask=mask)
        if points is None or len(points) < _LEAST_POINTS:
            return None
        moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, np.empty_like(points), winSize=(21, 21))
        good = found[:, 0] == 1
        if good.sum() < _LEAST_POINTS:
            return None
        step, used = cv2.estimateAffinePartial2D(points[good], moved[good], ransacReprojThreshold=1.5)
        if step is None or int(used.sum()) < max(_LEAST_POINTS, 0.4 * len(points)):
            return None
        linear, shift = step[:, :2], step[:, 2] / scale
        whole = np.eye(3)
        whole[:2, :2], whole[:2, 2] = linear, shift + low - linear @ low
        return whole


def _apply(matrix: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2], np.float64)


def _carried(face: FoundFace, step: Affine) -> FoundFace:
    growth = float(np.sqrt(abs(np.linalg.det(step[:2, :2]))))
    return FoundFace(_apply(step, face.centre[None])[0], face.size * growth, _apply(step, face.eyes))


def _lost(number: int) -> InputError:
    return InputError(
        "no_face",
        f"No face is found from second {number / FRAMES_PER_SECOND:.1f} of the clip on; one must be there all the "
        "time, from the front, eyes and mouth free.",
    )
