"""Faces that were found in a picture, and the protocol of what finds them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.lipsync.face_frame import EYE_TO_EYE, FaceFrame
from models.lipsync.types import Image

EYES_IN_BOX = 0.38
EYES_ABOVE = 0.11
"""Of a usual face, in sides of its box: from eye to eye, and from the eyes down to the box's middle."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face that was found.

    Attributes:
        centre: x, y of the middle of its box, in pixels.
        size: Side of its box, in pixels.
        eyes: float64[2, 2]: x, y of the eye at the left of the picture and of the one at the right.
        mesh: float64[468, 2]: x, y of the points of the face mesh, from what finds them; None otherwise.
    """

    centre: Points
    size: float
    eyes: Points
    mesh: Points | None = None

    @classmethod
    def of_frame(cls, frame: FaceFrame) -> "FoundFace":
        """Return a face that lies so, of usual proportions."""
        size = EYE_TO_EYE / EYES_IN_BOX
        points = frame.to_picture(np.array([[0.0, EYES_ABOVE * size], [-EYE_TO_EYE / 2, 0.0], [EYE_TO_EYE / 2, 0.0]]))
        return cls(points[0], size * frame.scale, points[1:])


class FaceFinder(Protocol):
    """Finds faces. Safe to call from several threads at once."""

    @property
    def meshes(self) -> bool:
        """Whether the faces come with their mesh."""
        ...

    def find(self, image: Image, around: FoundFace | None = None) -> list[FoundFace]:
        """Return the faces in a picture, the largest first.

        Args:
            image: The picture.
            around: Where the one face is that is looked for; quicker than the whole picture.
        """
        ...


def frame_of(face: FoundFace, least: float, when: str = "") -> FaceFrame | None:
    """Return where a face lies, or None where what was found is so small that it is hardly a face.

    Args:
        face: What was found.
        least: Pixels from eye to eye that it must have.
        when: Said in the error: " at second 1.2".

    Raises:
        InputError: It is a face, but too small (``face_too_small``).
    """
    frame = FaceFrame.of_eyes(face.eyes)
    distance = frame.scale * EYE_TO_EYE
    if distance < least / 2:
        return None
    if distance < least:
        raise InputError(
            "face_too_small",
            f"The face is too small{when}: its eyes are {distance:.0f} pixels apart, at least {least:.0f} are needed.",
        )
    return frame
