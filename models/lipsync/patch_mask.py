"""Box and soft mask of the part of a face that Wav2Lip's drawing replaces.

The network is shown the upper half of the face and gives it back a little blurred. So the picture's own eyes stay, and
the drawing fades in below them.
"""

import numpy as np
from numpy.typing import NDArray

from models.lipsync.wav2lip_network import FACE_SIDE

FIRST_ROW = 32
"""First of the face's 96 rows that is seen of the drawing."""

_FULL_ROW = FACE_SIDE // 2
_SIDE_FADE, _BOTTOM_FADE = 10, 8


def patch_boxes(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return where in the frames the drawn rows are.

    Args:
        faces: int32[frames, 4]: left, top, right, bottom of the whole faces.
    """
    boxes = faces.copy()
    heights = faces[:, 3] - faces[:, 1]
    boxes[:, 1] += np.minimum(np.round(heights * (FIRST_ROW / FACE_SIDE)).astype(np.int32), heights - 1)
    return boxes


def patch_mask() -> NDArray[np.uint8]:
    """Return how much of each pixel of the drawing is seen, uint8[96 - FIRST_ROW, 96]."""
    rows, columns = np.arange(FIRST_ROW, FACE_SIDE) + 0.5, np.arange(FACE_SIDE) + 0.5
    top = _fade((rows - FIRST_ROW) / (_FULL_ROW - FIRST_ROW))
    bottom = _fade((FACE_SIDE - rows) / _BOTTOM_FADE)
    sides = _fade(np.minimum(columns, FACE_SIDE - columns) / _SIDE_FADE)
    return np.round(255 * np.outer(top * bottom, sides)).astype(np.uint8)


def _fade(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a smooth step from 0 to 1."""
    at = np.clip(distance, 0, 1)
    return at * at * (3 - 2 * at)
