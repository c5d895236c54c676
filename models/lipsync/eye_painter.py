"""Drawing of closing eyes: the skin and lashes of the upper lid move down over the eye, the lower lid up."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.eye_lids import Eye
from models.lipsync.face_frame import FaceFrame
from models.lipsync.types import Image

_LASHES = 2.5
# Where the lids meet, from the eye's corners down; how far below its edge the lower lid begins, and gives.
_CLOSED, _MARGIN, _CHEEK = 0.5, 1.5, 16.0


@dataclass(frozen=True, slots=True, eq=False)
class LidPatch:
    """A piece of a picture with an eye's lids in one position.

    Attributes:
        top: Its first row in the picture.
        left: Its first column.
        pixels: uint8[height, width, 3].
        drawn: bool[height, width, 1]: which of its pixels differ from the picture's.
    """

    top: int
    left: int
    pixels: Image
    drawn: NDArray[np.bool_]

    def paste(self, picture: Image) -> None:
        """Draw it into the picture."""
        height, width = self.drawn.shape[:2]
        place = picture[self.top : self.top + height, self.left : self.left + width]
        np.copyto(place, self.pixels, where=self.drawn)


def draw_lid(picture: Image, frame: FaceFrame, eye: Eye, closed: float) -> LidPatch:
    """Return an eye that is so far closed, 0 to 1; ``frame`` says where the face lies in the picture."""
    reach = eye.half + 2.0
    corners = np.array(
        [[x, y] for x in (eye.x - reach, eye.x + reach) for y in (eye.y - 34.0, eye.y + eye.below + _CHEEK)]
    )
    around = frame.to_picture(corners)
    sides = np.array([picture.shape[1], picture.shape[0]])
    left, top = np.clip(np.floor(around.min(axis=0)).astype(int), 0, sides - 1)
    width, height = np.clip(np.ceil(around.max(axis=0)).astype(int) + 1, 1, sides) - (left, top)
    right, down = frame.of_pixels(int(left), int(top), int(width), int(height))
    before = picture[top : top + height, left : left + width]
    # The lids' edges are softened over a pixel, as the picture's own edges are; the upper lid lies over the lower one.
    sharp = frame.scale / max(0.8, 0.6 * frame.scale)
    mixed = before.astype(np.float32)
    for moved, inside in (
        (-_raised(right, down, eye, closed), down - _lower_edge(right, eye, closed)),
        (_moved(right, down, eye, closed), _edge(right, eye, closed) - down),
    ):
        x = np.arange(left, left + width, dtype=np.float32)[None] + np.float32(frame.sine) * moved
        y = np.arange(top, top + height, dtype=np.float32)[:, None] - np.float32(frame.cosine) * moved
        drawn = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mixed += (drawn - mixed) * np.clip(inside * sharp + 0.5, 0.0, 1.0)[..., None]
    pixels = np.round(mixed).astype(np.uint8)
    return LidPatch(int(top), int(left), pixels, np.any(pixels != before, axis=2, keepdims=True))


def _arch(right: NDArray[np.float32], eye: Eye) -> NDArray[np.float32]:
    return np.asarray(np.clip(1.0 - ((right - eye.x) / eye.half) ** 2, 0.0, None), np.float32)


def _travel(right: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far down the upper lid's edge goes, over the eye's width."""
    return np.asarray(closed * (eye.above + _CLOSED * eye.below) * _arch(right, eye), np.float32)


def _lower_travel(right: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far up the lower lid's edge comes."""
    return np.asarray(closed * (_MARGIN + (1.0 - _CLOSED) * eye.below) * _arch(right, eye), np.float32)


def _lower_edge(right: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far down the lower lid begins."""
    return np.asarray(eye.y + (eye.below + _MARGIN) * _arch(right, eye) - _lower_travel(right, eye, closed), np.float32)


def _raised(right: NDArray[np.float32], down: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far up each place's skin came from below: all the way at the lower lid's edge."""
    part = np.clip((down - _lower_edge(right, eye, closed)) / _CHEEK, 0.0, 1.0)
    return np.asarray(_lower_travel(right, eye, closed) * (1.0 - part) ** 2, np.float32)


def _edge(right: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far down the lid ends, its lashes included."""
    arch = _arch(right, eye)
    lashes = _LASHES * np.clip(arch * 4.0, 0.0, 1.0)
    return np.asarray(eye.y - eye.above * arch + lashes + _travel(right, eye, closed), np.float32)


def _moved(right: NDArray[np.float32], down: NDArray[np.float32], eye: Eye, closed: float) -> NDArray[np.float32]:
    """Return how far down each place's skin came: all the way at the lashes, not at all below the brow."""
    edge, travel = _edge(right, eye, closed), _travel(right, eye, closed)
    start = edge - travel - eye.lid
    skin = eye.lid - 2.0 * _LASHES
    stretch = np.minimum((skin + travel) / skin, 3.0)
    part = np.clip((down - start) / (skin + travel), 0.0, 1.0)
    # A cubic that joins the brow and the lashes, which keep their size, without a fold.
    source = stretch * part * (1.0 - part) * (1.0 - 2.0 * part) + part * part * (3.0 - 2.0 * part)
    return np.asarray(np.where(part < 1.0, np.clip(down - start, 0.0, None) - source * skin, travel), np.float32)
