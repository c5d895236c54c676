"""A face's coordinate system: right and down from the point between its eyes, 100 units from eye to eye."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.types import Image

EYE_TO_EYE = 100.0


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """Position, scale and rotation of a face in a picture.

    Attributes:
        x: Of the point between the eyes, in pixels.
        y: Likewise.
        cosine: Pixels that one unit to the face's right (as the viewer sees it) goes to the picture's right.
        sine: Pixels that it goes down.
    """

    x: float
    y: float
    cosine: float
    sine: float

    @classmethod
    def of_eyes(cls, eyes: NDArray[np.float64]) -> "FaceFrame":
        """Return the frame of eyes at the pixels float64[2, 2], the left one of the picture first."""
        (x, y), (across, down) = eyes.mean(axis=0), (eyes[1] - eyes[0]) / EYE_TO_EYE
        return cls(float(x), float(y), float(across), float(down))

    @property
    def scale(self) -> float:
        """Pixels per unit."""
        return float(np.hypot(self.cosine, self.sine))

    def to_picture(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pixels of points, float[n, 2]."""
        right, down = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
        return np.stack(
            [
                self.x + self.cosine * right - self.sine * down,
                self.y + self.sine * right + self.cosine * down,
            ],
            axis=1,
        )

    def of_picture(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the coordinates of points of the picture, float[n, 2] in pixels: right, down."""
        across, down = (points - np.array([self.x, self.y])).T.astype(np.float64)
        cosine, sine = self.cosine / self.scale**2, self.sine / self.scale**2
        return np.stack([cosine * across + sine * down, cosine * down - sine * across], axis=1)

    def of_pixels(self, left: int, top: int, width: int, height: int) -> NDArray[np.float32]:
        """Return the coordinates of a rectangle's pixels, float32[2, height, width]: right, down."""
        across = np.arange(left, left + width, dtype=np.float32)[None] - np.float32(self.x)
        down = np.arange(top, top + height, dtype=np.float32)[:, None] - np.float32(self.y)
        cosine, sine = np.float32(self.cosine / self.scale**2), np.float32(self.sine / self.scale**2)
        return np.stack([cosine * across + sine * down, cosine * down - sine * across])

    def crop(self, image: Image, left: float, top: float, width: int, height: int) -> Image:
        """Return a rectangle of the face upright, one pixel a unit."""
        corners = self.to_picture(
            np.array([[x, y] for x in (left, left + width) for y in (top, top + height)], np.float64)
        )
        low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 8, 0)
        high = np.maximum(np.ceil(corners.max(axis=0)).astype(int) + 8, low + 1)
        near = image[low[1] : high[1], low[0] : high[0]]
        if near.size == 0:
            return np.zeros((height, width, 3), np.uint8)
        if self.scale > 1.5:
            near = cv2.GaussianBlur(near, (0, 0), 0.35 * self.scale).astype(np.uint8)
        x, y = corners[0] - low
        matrix = np.array([[self.cosine, -self.sine, x], [self.sine, self.cosine, y]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(near, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return crop.astype(np.uint8)
