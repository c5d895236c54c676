"""Deformation of the lower half of a face as its mouth opens: the source of each pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.lipsync.mouth_line import Mouth

Plane = NDArray[np.float32]

GAP = 22.0
"""Units of a face (``FaceFrame``) between the lips of a mouth that is wide open."""
REACH_UP, REACH_DOWN, REACH_ASIDE = 36.0, 56.0, 98.0
"""Units that the motion goes: above the lips, below the chin, and to each side of the mouth's middle."""

_UPPER_SHARE, _UPPER_SHARE_TEETH = 0.2, 0.04
_JAW_SHARE = 0.78
# A smile that shows its teeth is a part of the way open.
_OPEN_ALREADY = 0.8
# Near the corners the lips stay together.
_PARTED = 0.94
# The cheeks' outline stays where it is.
_PULL_ENDS = 78.0
_WIDER, _NARROWER, _OPEN_NARROWER = 0.08, 0.24, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class MouthMotion:
    """A face's pixels with one state of its mouth; all planes are float32[height, width].

    Attributes:
        right: How far to the face's right each pixel's source lies from it, in units of the face.
        down: How far down.
        above: How far the pixel is below the edge of the upper lip.
        below: How far it is above the edge of the lower lip.
        across: Where it lies from corner to corner of the mouth, -1 to 1 between them.
        gap: How far apart the lips are where it is.
        bow: How far the line of the closed lips rises there above an even arc.
    """

    right: Plane
    down: Plane
    above: Plane
    below: Plane
    across: Plane
    gap: Plane
    bow: Plane


def motion(right: Plane, down: Plane, mouth: Mouth, opening: float, width: float) -> MouthMotion:
    """Return where pixels come from.

    Args:
        right: Their coordinates in the face, float32[height, width].
        down: Likewise.
        mouth: The face's.
        opening: Of the mouth, 0 to about 1.
        width: -1 for rounded lips, 1 for wide ones.
    """
    middle, half = (mouth.left + mouth.right) / 2, (mouth.right - mouth.left) / 2
    level = float(mouth.line.mean())
    pull = half * ((_WIDER if width > 0 else _NARROWER) * width - _OPEN_NARROWER * opening)
    aside = (right - middle) / half
    from_line = down - level
    tall = np.where(from_line < 0, 20.0, 34.0).astype(np.float32)
    moved = pull * aside * np.exp(0.5 * (1.0 - aside**2) - (from_line / tall) ** 2)
    moved *= 1.0 - _step(np.abs(right - middle), half, _PULL_ENDS)
    across = ((right - moved - middle) / half).astype(np.float32)

    places = np.linspace(-1.0, 1.0, len(mouth.line), dtype=np.float32)
    line = np.interp(across, places, mouth.line).astype(np.float32)
    wide_open = GAP * opening * (_OPEN_ALREADY if mouth.teeth else 1.0)
    gap = wide_open * np.clip(1.0 - (across / _PARTED) ** 2, 0.0, None) ** np.float32(0.6 if mouth.teeth else 0.75)
    upper = (_UPPER_SHARE_TEETH if mouth.teeth else _UPPER_SHARE) * gap
    # Closed lips fit into each other; the lower one's edge evens out as they part.
    bow = np.interp(across, places, np.polyval(np.polyfit(places, mouth.line, 2), places) - mouth.line)
    lower = gap - upper + bow * _step(gap, 2.0, 14.0) * 0.8
    above, below = down - (line - upper), (line + lower) - down

    jaw = _JAW_SHARE * (1.0 - _UPPER_SHARE) * wide_open
    jaw_here = jaw * (1.0 - _step(np.abs(right - middle), 30.0, REACH_ASIDE - 2))
    reach = 20.0 + 26.0 * _step(np.abs(across), 0.5, 1.4)
    sinking = _step(-below, 0.0, reach)
    end = mouth.chin + jaw
    sunk = (lower + (jaw_here - lower) * sinking) * (1.0 - _step(down, end - 4.0, end + REACH_DOWN - 6.0))
    raised = -upper * (1.0 - _step(-above, 0.0, 24.0))
    vertical = np.where(below < 0, sunk, np.where(above < 0, raised, down - line))
    return MouthMotion(
        (-moved).astype(np.float32),
        (-vertical).astype(np.float32),
        above,
        below,
        across,
        gap.astype(np.float32),
        bow.astype(np.float32),
    )


def _step(values: Plane, low: float, high: float | Plane) -> Plane:
    """Return 0 up to a low value, 1 from a high one on, and a smooth rise between."""
    part = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(part * part * (3.0 - 2.0 * part), np.float32)
