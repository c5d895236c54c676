"""Drawing of open mouths: the picture's own lips and jaw moved, with a drawn inside of the mouth."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.face_frame import FaceFrame
from models.lipsync.mouth_deformation import GAP, REACH_ASIDE, REACH_DOWN, REACH_UP, MouthMotion, motion
from models.lipsync.mouth_line import Mouth
from models.lipsync.types import Image

Plane = NDArray[np.floating[Any]]

# BGR of a well-lit face; darker faces and pictures dim them.
_DEPTH = np.array([20.0, 17.0, 40.0], np.float32)
_THROAT = np.array([8.0, 6.0, 16.0], np.float32)
_TONGUE = np.array([84.0, 78.0, 158.0], np.float32)
_TEETH = np.array([184.0, 202.0, 216.0], np.float32)
_LIGHT_SKIN = 190.0
_LUMA = np.array([0.114, 0.587, 0.299], np.float32)


class MouthPainter:
    """Paints the states of one mouth in one picture.

    Args:
        picture: The part of the avatar's frame that moves.
        frame: Where the face lies in that part.
        mouth: The face's.
    """

    def __init__(self, picture: Image, frame: FaceFrame, mouth: Mouth) -> None:
        self._picture, self._frame, self._mouth = picture, frame, mouth
        self._top = _first_row(picture, frame, mouth)
        height, width = picture.shape[0] - self._top, picture.shape[1]
        self._right, self._down = frame.of_pixels(0, self._top, width, height)
        self._x = np.arange(width, dtype=np.float32)[None]
        self._y = np.arange(self._top, self._top + height, dtype=np.float32)[:, None]
        skin = _skin(picture, frame, mouth)
        self._light, self._gray = _light(skin), float(np.ptp(skin)) < 4.0

    def draw(self, opening: float, width: float) -> Image:
        """Return the picture with the mouth so far open (0 to about 1) and so wide (-1 rounded to 1 wide)."""
        moved = motion(self._right, self._down, self._mouth, opening, width)
        cosine, sine = np.float32(self._frame.cosine), np.float32(self._frame.sine)
        x = self._x + cosine * moved.right - sine * moved.down
        y = self._y + sine * moved.right + cosine * moved.down
        drawn = self._picture.copy()
        drawn[self._top :] = cv2.remap(self._picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        self._paint_inside(drawn[self._top :], moved)
        return drawn

    def _paint_inside(self, drawn: Image, moved: MouthMotion) -> None:
        """Paint the inside of the mouth between the lips."""
        scale = self._frame.scale
        soft = 1.0 + 0.9 * scale
        seen = np.clip(moved.above * scale / soft + 0.35, 0, 1) * np.clip(moved.below * scale / soft + 0.35, 0, 1)
        seen *= np.clip((moved.gap - 0.4) / 1.6, 0.0, 1.0)
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        if not len(rows):
            return
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inside = self._inside(
            moved.above[part], moved.across[part], moved.gap[part], moved.bow[part], self._right[part]
        )
        cover = seen[part][..., None]
        mixed = drawn[part] * (1.0 - cover) + inside * cover
        drawn[part] = np.clip(np.round(mixed), 0, 255).astype(np.uint8)

    def _inside(
        self,
        above: Plane,
        across: Plane,
        gap: Plane,
        bow: Plane,
        right: Plane,
    ) -> Plane:
        """Return the colours of a mouth's inside, float32[height, width, 3]."""
        depth = np.clip(above / np.maximum(gap, 1.0), 0.0, 1.0)
        deep = np.exp(-(((depth - 0.5) / 0.3) ** 2) - (across / 0.75) ** 2)
        colour = _mix(_DEPTH, _THROAT, deep * _rise(gap, 4.0, 14.0))
        tongue = np.exp(-((across / 0.5) ** 4)) * _rise(depth, 0.5, 0.95) * _rise(gap, 7.0, 20.0)
        colour = _mix(colour, _TONGUE, 0.75 * tongue)
        if not self._mouth.teeth:
            colour = _with_teeth(colour, above - bow, above, across, gap, right)
        if self._gray:
            return np.asarray((colour @ _LUMA * self._light.mean())[..., None], np.float32)
        return np.asarray(colour * self._light, np.float32)


def _with_teeth(colour: Plane, level: Plane, above: Plane, across: Plane, gap: Plane, right: Plane) -> Plane:
    """Return a mouth's inside with upper teeth, in the shadow of the lip and of the corners.

    They stay with the skull while the upper lip rises: the wider the mouth is open, the more of them shows.
    """
    edge = 0.2 * gap + 3.6 * (1.0 - across**2) - 0.6
    seen = (
        np.clip((edge - level) / 0.9 + 0.5, 0.0, 1.0) * _rise(gap, 4.5, 12.0) * (1.0 - _rise(np.abs(across), 0.5, 0.8))
    )
    between = 1.0 - 0.14 * np.exp(-(((right / 7.5) % 1.0 - 0.5) ** 2) / 0.008)
    shade = (0.45 + 0.5 * _rise(above, 0.0, 5.0)) * (1.0 - 0.6 * across**2) * between
    return _mix(colour, _TEETH * shade[..., None], 0.9 * seen)


def _first_row(picture: Image, frame: FaceFrame, mouth: Mouth) -> int:
    """Return the first row of the picture that a moving mouth changes."""
    top, bottom = float(mouth.line.min()) - REACH_UP, mouth.chin + GAP + REACH_DOWN
    corners = frame.to_picture(
        np.array([[side, down] for side in (-REACH_ASIDE, REACH_ASIDE) for down in (top, bottom)])
    )
    return int(np.clip(np.floor(corners[:, 1].min()), 0, picture.shape[0] - 1))


def _skin(picture: Image, frame: FaceFrame, mouth: Mouth) -> Plane:
    """Return the BGR of the lit skin around the mouth."""
    level = float(mouth.line.mean())
    crop = frame.crop(picture, mouth.left, level - 24, int(mouth.right - mouth.left), 64).reshape(-1, 3)
    return np.asarray(np.percentile(crop, 75, axis=0), np.float32)


def _light(skin: Plane) -> Plane:
    """Return how a face with such skin is lit: what a white surface in it would have, of each channel, 0 to about 1."""
    brightness = float(skin @ _LUMA) / _LIGHT_SKIN
    # A part of the cast of the light, as far as it can be told from the colour of the skin.
    cast = skin / np.array([150.0, 175.0, 215.0]) / max(brightness, 0.05)
    return np.asarray(np.clip(brightness, 0.2, 1.15) * np.sqrt(np.clip(cast, 0.7, 1.3)), np.float32)


def _rise(values: Plane, low: float, high: float) -> Plane:
    part = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part), np.float32)


def _mix(one: Plane, other: Plane, share: Plane) -> Plane:
    return np.asarray(one + (other - one) * share[..., None], np.float32)
