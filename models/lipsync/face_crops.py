"""Face crops of an avatar's frames, the input of Wav2Lip."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.lipsync.face_box import FaceBox, FaceDetector
from models.lipsync.types import FRAMES_PER_SECOND, Image
from models.lipsync.wav2lip_network import FACE_SIDE

MIN_FACE = 32
"""Least height of a face, in pixels."""

# Frames that are searched, and in memory, at once.
_AT_ONCE = 16
_PADS_HEIGHT = 256.0
# Faces that overlap less than this in consecutive frames are different ones.
_SAME_FACE = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrops:
    """A face in an avatar.

    Attributes:
        boxes: int32[frames, 4]: left, top, right, bottom.
        crops: uint8[frames, 96, 96, 3]: what is in the boxes.
        faces: How many faces were seen at once, at most.
    """

    boxes: NDArray[np.int32]
    crops: NDArray[np.uint8]
    faces: int


class FaceCropper:
    """Follows the largest face through an avatar.

    Args:
        detector: Finds faces.
        pads: Pixels added at the top, bottom, left and right of a face 256 pixels high.
        smoothing: Frames that a box is averaged over.
    """

    def __init__(self, detector: FaceDetector, pads: tuple[int, int, int, int], smoothing: int) -> None:
        self._detector = detector
        self._pads = pads
        self._smoothing = smoothing

    def crop(self, frames: Iterable[Image]) -> FaceCrops:
        """Cut the face out of each frame; only a few frames are in memory at once.

        Raises:
            InputError: In a frame there is no face, or it is too small.
        """
        boxes: list[tuple[int, int, int, int]] = []
        crops: list[Image] = []
        most = 0
        for frame, box, faces in self._smoothed(self._followed(frames)):
            placed = _within(box, frame)
            boxes.append(placed)
            crops.append(_cut(frame, placed))
            most = max(most, faces)
        return FaceCrops(np.array(boxes, np.int32), np.stack(crops), most)

    def _followed(self, frames: Iterable[Image]) -> Iterator[tuple[Image, FaceBox, int]]:
        """Yield each frame with its padded face, and how many faces it has."""
        previous: FaceBox | None = None
        number = 0
        for batch in _batches(frames, _AT_ONCE):
            for frame, found in zip(batch, self._detector.find(batch), strict=True):
                if not found:
                    raise InputError("no_face", _missing(number))
                previous = _same_or_largest(found, previous)
                if previous.height < MIN_FACE:
                    raise InputError(
                        "face_too_small",
                        f"The face is {previous.height:.0f} pixels high; it must have at least {MIN_FACE}.",
                    )
                yield frame, self._padded(previous), len(found)
                number += 1

    def _smoothed(self, faces: Iterable[tuple[Image, FaceBox, int]]) -> Iterator[tuple[Image, FaceBox, int]]:
        """Yield each frame with the mean of the boxes around it."""
        reach = self._smoothing // 2
        boxes: list[FaceBox] = []
        waiting: list[tuple[Image, FaceBox, int]] = []
        done = 0
        for face in faces:
            boxes.append(face[1])
            waiting.append(face)
            if len(waiting) > reach:
                frame, _, count = waiting.pop(0)
                yield frame, _mean(boxes[max(0, done - reach) : done + reach + 1]), count
                done += 1
        for frame, _, count in waiting:
            yield frame, _mean(boxes[max(0, done - reach) : done + reach + 1]), count
            done += 1

    def _padded(self, face: FaceBox) -> FaceBox:
        scale = face.height / _PADS_HEIGHT
        top, bottom, left, right = (pixels * scale for pixels in self._pads)
        return FaceBox(face.left - left, face.top - top, face.right + right, face.bottom + bottom)


def _batches(frames: Iterable[Image], size: int) -> Iterator[list[Image]]:
    batch: list[Image] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _missing(number: int) -> str:
    if number == 0:
        return "No face was found."
    return f"No face was found at {number / FRAMES_PER_SECOND:.2f} s; it must be seen all the time."


def _same_or_largest(faces: Sequence[FaceBox], previous: FaceBox | None) -> FaceBox:
    """Return the face that was followed so far; without one, or where it is gone, the largest."""
    if previous is not None:
        nearest = max(faces, key=lambda face: _overlap(face, previous))
        if _overlap(nearest, previous) >= _SAME_FACE:
            return nearest
    return max(faces, key=lambda face: face.width * face.height)


def _overlap(one: FaceBox, other: FaceBox) -> float:
    """Return the intersection of two boxes over their union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def _mean(boxes: Sequence[FaceBox]) -> FaceBox:
    means = np.mean([(box.left, box.top, box.right, box.bottom) for box in boxes], axis=0)
    return FaceBox(*map(float, means))


def _within(box: FaceBox, frame: Image) -> tuple[int, int, int, int]:
    height, width = frame.shape[:2]
    left, top = min(max(0, round(box.left)), width - 1), min(max(0, round(box.top)), height - 1)
    return left, top, max(left + 1, min(width, round(box.right))), max(top + 1, min(height, round(box.bottom)))


def _cut(frame: Image, box: tuple[int, int, int, int]) -> Image:
    left, top, right, bottom = box
    shrinks = min(right - left, bottom - top) > FACE_SIDE
    part = frame[top:bottom, left:right]
    resized = cv2.resize(part, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized, np.uint8)
