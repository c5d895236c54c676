"""Box and mask of the moving part of a face in an avatar's frame."""

import numpy as np
from numpy.typing import NDArray

from models.lipsync.mouth_deformation import GAP, REACH_ASIDE, REACH_DOWN, REACH_UP
from models.lipsync.mouth_warp_face import FacePlace

_ABOVE_EYES = 40.0
_FEATHER = 6

Box = tuple[int, int, int, int]


def face_box(place: FacePlace, width: int, height: int, *, eyes: bool) -> Box:
    """Return left, top, right, bottom of what moves in a frame of so many pixels; even where the frame's sides are.

    Args:
        place: Where the face lies in the frame.
        width: Of the frame.
        height: Of the frame.
        eyes: Whether the eyes are part of it.
    """
    mouth = place.mouth
    middle = (mouth.left + mouth.right) / 2
    top = -_ABOVE_EYES if eyes else float(mouth.line.min()) - REACH_UP
    bottom = mouth.chin + GAP + REACH_DOWN
    corners = [[middle + side * REACH_ASIDE, down] for side in (-1, 1) for down in (top, bottom)]
    pixels = place.frame.to_picture(np.array(corners))
    low, high = np.floor(pixels.min(axis=0) / 2).astype(int) * 2, np.ceil(pixels.max(axis=0) / 2).astype(int) * 2
    left, upper = max(0, int(low[0])), max(0, int(low[1]))
    return left, upper, max(left + 2, min(width, int(high[0]))), max(upper + 2, min(height, int(high[1])))


def soft_mask(box: Box, width: int, height: int) -> NDArray[np.uint8]:
    """Return a box's mask: seen but for a soft border where the frame goes on beyond it."""
    left, top, right, bottom = box
    return feathered(right - left, bottom - top, (left > 0, top > 0, right < width, bottom < height))


def feathered(width: int, height: int, soft: tuple[bool, bool, bool, bool]) -> NDArray[np.uint8]:
    """Return a mask of some pixels with some soft sides: left, top, right, bottom."""
    across, down = _ramp(width, soft[0], soft[2]), _ramp(height, soft[1], soft[3])
    return np.round(255.0 * np.minimum(across[None], down[:, None])).astype(np.uint8)


def _ramp(length: int, first: bool, last: bool) -> NDArray[np.float64]:
    ramp = np.ones(length)
    feather = min(_FEATHER, length // 4)
    rise = np.arange(1, feather + 1) / (feather + 1)
    if first:
        ramp[:feather] = rise
    if last:
        ramp[length - feather :] = rise[::-1]
    return ramp
