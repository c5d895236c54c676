"""Boxes of faces, and the protocol of the detectors that find them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.lipsync.types import Image


@dataclass(frozen=True, slots=True)
class FaceBox:
    """Bounding box of a face, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top


class FaceDetector(Protocol):
    """Finds faces in images."""

    def find(self, images: Sequence[Image]) -> list[list[FaceBox]]:
        """Return the faces in each of some images, which are all of one size."""
        ...
