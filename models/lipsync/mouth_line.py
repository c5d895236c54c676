"""Detection of the line between the lips, of the chin and of visible teeth in a picture of a face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.face_frame import FaceFrame
from models.lipsync.face_mesh_points import CHIN, LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from models.lipsync.types import Image

COLUMNS = 17
"""Points of a lip line, evenly from corner to corner."""

_LEFT, _TOP, _WIDTH, _HEIGHT = -72, 62, 145, 150
_MIDDLE = -_LEFT
# Of grown faces: where the lips meet below the eyes, half a mouth's width, the chin's distance in that of the lips.
_USUAL_LINE, _USUAL_HALF, _CHIN = 104.0, 41.0, 1.64
_LEAST_HALF, _MOST_HALF = 32.0, 58.0
_SEARCHED = (84, 128)
_NEAR = 13
# How far a face mesh's mouth may be off, and from which distance on its lips do not touch.
_MOVED, _APART = 8, 3.0
# Mean distance from grey, of pictures without colour.
_GRAY = 4.0
_TILTS = (-4, -2, 0, 2, 4)
_BENDS = (-16, -12, -9, -6, -3, 0, 3, 6)

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Mouth:
    """A mouth in the face's coordinates (see ``FaceFrame``).

    Attributes:
        left: Of its left corner in the picture.
        right: Of its right corner.
        line: float32[COLUMNS]: how far down the lips meet, from corner to corner; where upper teeth show, their lower
            edge.
        chin: How far down the chin ends.
        teeth: Whether teeth show between the lips.
    """

    left: float
    right: float
    line: NDArray[np.float32]
    chin: float
    teeth: bool


@dataclass(frozen=True, slots=True, eq=False)
class MouthGuide:
    """A mouth as the points of a face mesh say it, in the face's coordinates.

    Attributes:
        upper: float64[n, 2]: right and down of the upper lip's inner edge, from the left corner to the right.
        lower: The same of the lower lip's.
        corners: float64[2, 2]: of the mouth, the left one first.
        chin: How far down the chin ends.
    """

    upper: NDArray[np.float64]
    lower: NDArray[np.float64]
    corners: NDArray[np.float64]
    chin: float

    @property
    def shut(self) -> bool:
        """Whether the lips touch."""
        return float(np.max(self.lower[:, 1] - self.upper[:, 1])) < _APART

    def rows(self, columns: int) -> NDArray[np.float64]:
        """Return the rows of the searched part of the face between the lips, for every column."""
        middle = (self.upper + self.lower) / 2
        across = np.arange(columns) + _LEFT
        return np.asarray(np.interp(across, middle[:, 0], middle[:, 1]) - _TOP, np.float64)


def guide_of_mesh(mesh: NDArray[np.float64], frame: FaceFrame) -> MouthGuide:
    """Return the mouth of a face mesh, float64[468, 2] in the picture's pixels."""
    upper, lower, corners, chin = (
        frame.of_picture(mesh[list(points)]) for points in (UPPER_LIP, LOWER_LIP, MOUTH_CORNERS, (CHIN,))
    )
    return MouthGuide(upper, lower, corners, float(chin[0, 1]))


def find_mouth(image: Image, frame: FaceFrame, guide: MouthGuide | None = None) -> Mouth:
    """Return the mouth of a face: where the picture speaks for it, near where the guide has it, or where it is usual.

    Args:
        image: The picture.
        frame: Where the face lies in it.
        guide: The mouth of a face mesh, where there is one: it is right within a few units, and the line between the
            lips, which has to be exact, is looked for near it.
    """
    lab = cv2.cvtColor(frame.crop(image, _LEFT, _TOP, _WIDTH, _HEIGHT), cv2.COLOR_BGR2LAB)
    soft = cv2.GaussianBlur(lab.astype(np.float32), (0, 0), sigmaX=3.0, sigmaY=1.2)
    light, red = np.asarray(soft[..., 0], np.float32), np.asarray(soft[..., 1], np.float32)
    gray = float(np.abs(soft[..., 1:] - 128.0).mean()) < _GRAY
    if gray:
        # Lips are darker than skin, as they are redder in colour.
        red = (255.0 - light) * np.float32(0.35)
    dark = _ridge(light)
    seed = _seed(dark, red) if guide is None else _moved(guide.rows(dark.shape[1]), dark)
    teeth = None if guide is not None and guide.shut else _teeth_edge(light, red, seed, gray)
    if teeth is None:
        rows = _darkest(lab[..., 0].astype(np.float32), _path(dark, seed))
    else:
        edge = _seed(teeth, red) if guide is None else _moved(guide.rows(dark.shape[1]), teeth)
        rows = _path_below_teeth(teeth, dark, edge)
    left, right = _corners(dark, red, rows) if guide is None else guide.corners[:, 0] - _LEFT
    at = np.linspace(left, right, COLUMNS)
    if teeth is None:
        line = np.asarray(np.interp(at, np.arange(len(rows)), _evened(rows, int(left), int(right))) + _TOP)
    else:
        columns = np.arange(int(left), int(right) + 1)
        smooth = np.polyfit((columns - _MIDDLE) / _USUAL_HALF, rows[columns], 4)
        line = np.asarray(np.polyval(smooth, (at - _MIDDLE) / _USUAL_HALF) + _TOP, np.float64)
    middle = float(line[COLUMNS // 2])
    chin = _chin(light, middle) if guide is None else guide.chin
    return Mouth(float(left) + _LEFT, float(right) + _LEFT, line.astype(np.float32), chin, teeth is not None)


def _ridge(light: Map) -> Map:
    """Return how much darker each place is than those a little above and below, about 1 for a clear line."""
    best = np.zeros_like(light)
    for reach in (3, 5):
        around = np.minimum(np.roll(light, reach, axis=0), np.roll(light, -reach, axis=0))
        best = np.maximum(best, around - light)
    best[:6] = best[-6:] = 0.0
    near = best[_SEARCHED[0] - _TOP : _SEARCHED[1] - _TOP, _MIDDLE - 40 : _MIDDLE + 40]
    ridge: Map = best / max(2.0, float(np.percentile(near, 98)))
    return np.minimum(ridge, 1.2).astype(np.float32)


def _moved(rows: NDArray[np.float64], strength: Map) -> NDArray[np.float64]:
    """Return a curve moved up or down to where it is strongest, in the middle of the mouth."""
    columns = np.arange(_MIDDLE - 28, _MIDDLE + 29, 2)
    moves = np.arange(-_MOVED, _MOVED + 1)
    at = np.clip(np.round(rows[columns] + moves[:, None]).astype(int), 0, len(strength) - 1)
    score = strength[at, columns].mean(axis=1) - 0.25 * (moves / _MOVED) ** 2
    return np.asarray(rows + moves[int(np.argmax(score))], np.float64)


def _seed(dark: Map, red: Map) -> NDArray[np.float64]:
    """Return the rows of the best smooth curve across the middle of the mouth, for every column."""
    columns = np.arange(_MIDDLE - 28, _MIDDLE + 29, 2)
    across = (columns - _MIDDLE) / _USUAL_HALF
    bands = cv2.blur(red, (1, 15)) - 0.5 * (
        np.roll(cv2.blur(red, (1, 9)), 22, 0) + np.roll(cv2.blur(red, (1, 9)), -22, 0)
    )
    bands = np.clip(bands / max(2.0, float(np.percentile(bands, 97))), -1.0, 1.0)
    shapes = np.stack(np.meshgrid(np.arange(*_SEARCHED), _TILTS, _BENDS, indexing="ij"), axis=-1).reshape(-1, 3)
    middle, tilt, bend = shapes.T.astype(np.float64)[:, :, None]
    rows = middle - _TOP + tilt * across + bend * across**2
    at = np.clip(np.round(rows).astype(int), 0, dark.shape[0] - 1)
    score = dark[at, columns].mean(axis=1) + 0.6 * bands[at, columns].mean(axis=1)
    score -= 0.06 * ((shapes[:, 0] - _USUAL_LINE) / 9.0) ** 2 + 0.001 * (shapes[:, 1:] ** 2).sum(axis=1)
    middle_row, tilted, bent = (float(value) for value in shapes[int(np.argmax(score))])
    whole = (np.arange(dark.shape[1]) - _MIDDLE) / _USUAL_HALF
    return np.asarray(middle_row - _TOP + tilted * whole + bent * np.minimum(whole**2, 1.6), np.float64)


def _teeth_edge(light: Map, red: Map, seed: NDArray[np.float64], gray: bool) -> Map | None:
    """Return how much each place is the lower edge of bright teeth above a red lip; None where no teeth show."""
    base = np.round(seed).astype(int)
    light, red = (
        np.asarray(cv2.GaussianBlur(plane, (0, 0), sigmaX=5.0, sigmaY=0.6), np.float32) for plane in (light, red)
    )
    edges = np.zeros_like(red)
    least = float(np.median(light[:, _MIDDLE - 60 : _MIDDLE + 61])) if gray else 0.0
    seen = 0
    columns = range(_MIDDLE - 30, _MIDDLE + 31)
    for column in columns:
        top, bottom = max(2, base[column] - 20), min(red.shape[0] - 2, base[column] + 24)
        reds, lights = red[top:bottom, column], light[top:bottom, column]
        valley = 8 + int(np.argmin(reds[8:-8]))
        above, below = float(reds[:valley].max()), valley + int(np.argmax(reds[valley:]))
        depth = min(above, float(reds[below])) - float(reds[valley])
        if depth > 5.0 and lights[valley] > max(least, lights[below] + 4.0):
            seen += 1
            rise = np.diff(red[top + valley : top + below + 1, column])
            edges[top + valley : top + below, column] = np.clip(rise, 0.0, None)
    if seen < 0.5 * len(columns):
        return None
    even = cv2.GaussianBlur(edges, (0, 0), sigmaX=4.0, sigmaY=1.0)
    if float(_seed(edges, red)[_MIDDLE]) < float(seed[_MIDDLE]) - 4.0:
        return None
    return np.asarray(np.minimum(even / max(1e-3, float(np.percentile(even[even > 0], 95))), 1.2), np.float32)


def _chin(light: Map, middle: float) -> float:
    """Return how far down the chin ends: where the light drops into the neck's shadow, if it does."""
    profile = light[:, _MIDDLE - 16 : _MIDDLE + 17].mean(axis=1)
    rows = np.arange(5, len(profile) - 5)
    drop = np.clip(profile[rows - 5] - profile[rows + 5], 0.0, 40.0) / 40.0
    down = rows + _TOP
    score = drop - 0.5 * ((down - _CHIN * middle) / 14.0) ** 2 * 0.35
    best = int(np.argmax(score))
    return float(down[best]) if drop[best] > 0.2 else _CHIN * middle


def _path_below_teeth(teeth: Map, dark: Map, seed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the path along the lower edge of the teeth; beside them the lips meet in the dark of the corners."""
    aside = np.abs(np.arange(dark.shape[1]) - _MIDDLE) > 30
    return _path(np.asarray(np.maximum(teeth, np.where(aside, 0.8 * dark, 0.0)), np.float32), seed)


def _path(strength: Map, seed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the row of the strongest smooth path from left to right near a curve, for every column."""
    offsets = np.arange(-_NEAR, _NEAR + 1)
    columns = np.arange(strength.shape[1])
    rows = np.clip(np.round(seed)[:, None].astype(int) + offsets, 0, strength.shape[0] - 1)
    gain = strength[rows, columns[:, None]] - 0.25 * (offsets / _NEAR) ** 2
    total, came = gain.copy(), np.zeros(gain.shape, int)
    steps = np.arange(-2, 3)
    for column in columns[1:]:
        padded = np.pad(total[column - 1], 2, constant_values=-np.inf)
        choices = np.stack([padded[2 + step : 2 + step + len(offsets)] - 0.12 * abs(step) for step in steps])
        came[column] = steps[np.argmax(choices, axis=0)]
        total[column] += choices.max(axis=0)
    place = int(np.argmax(total[-1]))
    path = np.zeros(len(columns))
    for column in columns[::-1]:
        path[column] = rows[column, place]
        place = int(np.clip(place + came[column, place], 0, len(offsets) - 1))
    return path


def _corners(dark: Map, red: Map, rows: NDArray[np.float64]) -> tuple[float, float]:
    """Return the columns of the mouth's two corners: where the line and the lips' red end."""
    columns = np.arange(len(rows))
    at = np.round(rows).astype(int)
    line = np.max([dark[np.clip(at + step, 0, len(dark) - 1), columns] for step in (-3, -2, -1, 0, 1, 2, 3)], axis=0)
    lips = np.mean([red[np.clip(at + step, 0, len(dark) - 1), columns] for step in range(-6, 10)], axis=0)
    cheek = np.mean([lips[_MIDDLE - 70 : _MIDDLE - 58].mean(), lips[_MIDDLE + 59 : _MIDDLE + 71].mean()])
    middle = slice(_MIDDLE - 22, _MIDDLE + 23)
    gain = max(3.0, float(np.median(lips[middle]) - cheek))
    seen = 0.5 * np.clip(line / max(0.2, float(np.median(line[middle]))), 0, 1) + 0.5 * np.clip(
        (lips - cheek) / gain, 0, 1
    )
    seen = np.convolve(seen, np.ones(5) / 5, mode="same")
    halves = [_extent(seen[_MIDDLE::-1]), _extent(seen[_MIDDLE:])]
    mean = sum(halves) / 2
    halves = [float(np.clip(half, mean - 7, mean + 7)) for half in halves]
    return _MIDDLE - halves[0], _MIDDLE + halves[1]


def _extent(seen: NDArray[np.float64]) -> float:
    """Return how far out a mouth goes to one side: the place that best parts what is seen from what is not."""
    reach = np.arange(int(_LEAST_HALF), int(_MOST_HALF) + 1)
    scores = [
        seen[int(half) - 12 : half].mean() - seen[half : half + 12].mean() - 0.25 * ((half - _USUAL_HALF) / 12.0) ** 2
        for half in reach
    ]
    return float(reach[int(np.argmax(scores))])


def _darkest(light: Map, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the darkest rows within a few of a path's, which a wide blur moves away from bright lips."""
    sharp = cv2.GaussianBlur(light, (0, 0), sigmaX=1.6, sigmaY=0.7)
    offsets = np.arange(-4, 5)
    at = np.clip(np.round(rows).astype(int)[:, None] + offsets, 0, len(light) - 1)
    cost = sharp[at, np.arange(light.shape[1])[:, None]] + 0.6 * offsets**2
    return np.asarray(rows + offsets[np.argmin(cost, axis=1)], np.float64)


def _evened(rows: NDArray[np.float64], left: int, right: int) -> NDArray[np.float64]:
    """Return a path without its jags; beyond the corners of the mouth it goes on level."""
    inside = np.clip(np.arange(len(rows)), left + 1, right - 1)
    padded = np.pad(rows[inside], 4, mode="edge")
    middles = np.median(np.lib.stride_tricks.sliding_window_view(padded, 9), axis=1)
    kernel = np.hanning(11)[1:-1] / np.hanning(11)[1:-1].sum()
    return np.convolve(np.pad(middles, 4, mode="edge"), kernel, mode="valid")
