"""Detection of the eyelids' edges in a picture of a face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.face_frame import EYE_TO_EYE, FaceFrame
from models.lipsync.types import Image

_REACH, _HEIGHT = 44, 30
_LEAST_CLEAR = 0.5
# Above an eye: where its lashes end, the least lid that can be pulled down, the most that is; and how dark a brow is.
_FROM_EDGE, _LEAST_LID, _MOST_LID, _BROW = 4, 9, 17, 0.72
_CENTRES_X, _CENTRES_Y = np.arange(-8, 9, 2), np.arange(-7, 9, 1)
_HALVES, _ABOVE, _BELOW = np.array([22, 24, 26, 28]), np.array([6, 8, 10, 12, 14]), np.array([3, 5, 7, 9])

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Eye:
    """An open eye between two arcs that meet in its corners, in the face's coordinates (see ``FaceFrame``).

    Attributes:
        x: Of its middle.
        y: Of its corners.
        half: Half of its width.
        above: How far the upper lid's edge rises above the corners.
        below: How far the lower lid's edge sinks below them.
        lid: How much plain skin there is above the eye, before a brow or a rim of glasses.
    """

    x: float
    y: float
    half: float
    above: float
    below: float
    lid: float


def find_eyes(image: Image, frame: FaceFrame) -> tuple[Eye, ...]:
    """Return both eyes of a face, or none where they aren't clearly seen open, lids and all: it then does not blink."""
    crops = [_Crop(image, frame, side * EYE_TO_EYE / 2) for side in (-1, 1)]
    places = len(_CENTRES_X) * len(_CENTRES_Y)
    # Both eyes have one shape, each its own place.
    scores = [_scores(_SHAPES, crop).reshape(places, -1) for crop in crops]
    shape = int(np.argmax(scores[0].max(axis=0) + scores[1].max(axis=0)))
    eyes = []
    for crop, score in zip(crops, scores, strict=True):
        place = int(np.argmax(score[:, shape]))
        if score[place, shape] < _LEAST_CLEAR:
            return ()
        x, y, half, above, below = (float(value) for value in _SHAPES[place * score.shape[1] + shape])
        lid = _plain_skin(crop, x, y - above)
        if lid < _LEAST_LID:
            return ()
        eyes.append(Eye(crop.x + x, y, half, above, below, lid))
    return tuple(eyes)


class _Crop:
    """Upright crop around one eye, with the maps that are searched for its lids."""

    def __init__(self, image: Image, frame: FaceFrame, x: float) -> None:
        crop = frame.crop(image, x - _REACH, -_HEIGHT, 2 * _REACH + 1, 2 * _HEIGHT + 1)
        lab = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_BGR2LAB).astype(np.float32), (0, 0), 1.2)
        skin = np.median(lab[_HEIGHT + 17 : _HEIGHT + 27, 14:-14].reshape(-1, 3), axis=0)
        unlike = np.minimum(np.abs(lab - skin) @ np.ones(3, np.float32), 60.0) / 60.0
        self.x = x
        self.light = np.asarray(lab[..., 0], np.float32)
        self.unlike = np.asarray(unlike, np.float32)
        self.edge = _lash_line(self.light)


def _lash_line(light: Map) -> Map:
    """Return how much each place is a dark edge with light above it, 0 to 1."""
    drop = np.maximum(np.roll(light, 3, axis=0), np.roll(light, 4, axis=0)) - light
    drop[:5] = 0.0
    return np.asarray(np.clip(drop / max(8.0, float(np.percentile(drop, 97))), 0.0, 1.0), np.float32)


def _plain_skin(crop: _Crop, x: float, upper: float) -> float:
    """Return how far above an eye's upper edge its lid goes on without a brow or a rim."""
    middle = _REACH + round(x)
    rows = round(upper) + _HEIGHT - np.arange(_FROM_EDGE, _MOST_LID + 1)
    profile = np.percentile(crop.light[np.clip(rows, 0, None), middle - 14 : middle + 15], 35, axis=1)
    dark = np.flatnonzero(profile < _BROW * np.maximum.accumulate(profile))
    return float(_FROM_EDGE + (dark[0] - 1 if len(dark) else len(rows) - 1))


def _scores(shapes: NDArray[np.float64], crop: _Crop) -> NDArray[np.float64]:
    """Return how well the picture bears out arcs, one row of ``shapes`` each."""
    x, y, half, above, below = shapes.T[:, :, None]
    across = np.linspace(-0.85, 0.85, 11)
    arch = 1.0 - across**2
    columns = x + half * across
    upper, lower = y - above * arch, y + below * arch

    def mean(plane: Map, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        at = np.clip(np.round(rows).astype(int) + _HEIGHT, 0, plane.shape[0] - 1)
        return np.asarray(
            plane[at, np.clip(np.round(columns).astype(int) + _REACH, 0, plane.shape[1] - 1)].mean(axis=1)
        )

    inside = np.mean([mean(crop.unlike, upper + (lower - upper) * part) for part in (0.2, 0.4, 0.6, 0.8)], axis=0)
    around = mean(crop.unlike, lower + 3.0) * 0.6 + mean(crop.unlike, upper - 5.0) * 0.4
    usual = ((shapes - [0, 0, 25.0, 9.5, 5]) / [3.5, 6.0, 5.0, 4.0, 3.0]) ** 2
    scores: NDArray[np.float64] = mean(crop.edge, upper) + 1.6 * (inside - around) - 0.05 * usual.sum(axis=1)
    return scores


_SHAPES = (
    np.stack(np.meshgrid(_CENTRES_X, _CENTRES_Y, _HALVES, _ABOVE, _BELOW, indexing="ij"), axis=-1)
    .reshape(-1, 5)
    .astype(np.float64)
)
