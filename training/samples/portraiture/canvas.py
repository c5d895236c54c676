"""A picture in linear light, and shapes on it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

WIDTH, HEIGHT = 720, 800
"""Of the finished picture, in pixels; all places and lengths are given in these."""

SCALE = 2
"""Pixels that are painted for one of the finished picture, along each side."""

CENTRE = 360.0
"""The face's line of symmetry."""

Field = NDArray[np.float32]
"""float32[rows, columns]: one value for every painted pixel."""

Points = NDArray[np.float64]
"""float64[n, 2]: x, y."""

Pairs = Sequence[tuple[float, float]]

_ROWS, _COLUMNS = np.mgrid[0 : HEIGHT * SCALE, 0 : WIDTH * SCALE].astype(np.float32)
X: Field = (_COLUMNS + 0.5) / SCALE
Y: Field = (_ROWS + 0.5) / SCALE
"""Where each painted pixel is."""


def linear(colour: str) -> NDArray[np.float32]:
    """Return ``rrggbb`` in linear light, float32[3], red first."""
    coded = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    return to_linear(np.array(coded, np.float32))


def to_linear(coded: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo sRGB's transfer function."""
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_coded(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply sRGB's transfer function, 0 to 1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def curve(points: Pairs, count: int = 200, *, closed: bool = False) -> Points:
    """Return ``count`` places on a smooth curve through the points."""
    knots = np.array([*points, points[0]] if closed else points, np.float64)
    along = np.concatenate([[0], np.cumsum(np.sqrt(np.hypot(*np.diff(knots, axis=0).T)))])
    spline = CubicSpline(along, knots, bc_type="periodic" if closed else "natural")
    return np.asarray(spline(np.linspace(0, along[-1], count)))


def profile(points: Pairs, at: Field) -> Field:
    """Return a smooth function's values that goes through the points and is level outside them."""
    places, values = np.array(points, np.float64).T
    spline = CubicSpline(places, values, bc_type="clamped")
    return np.asarray(spline(np.clip(at, places[0], places[-1])), np.float32)


def moved(points: Points, right: float, down: float) -> Points:
    """Return them elsewhere."""
    return np.asarray(points + np.array([right, down]))


def bump(x: float, y: float, sigma_x: float, sigma_y: float | None = None) -> Field:
    """Return a bell of height 1."""
    return np.exp(-0.5 * (((X - x) / sigma_x) ** 2 + ((Y - y) / (sigma_y or sigma_x)) ** 2)).astype(np.float32)


def both(x: float, y: float, sigma_x: float, sigma_y: float | None = None) -> Field:
    """Return two bells, at ``x`` on either side of the line of symmetry."""
    return bump(CENTRE - x, y, sigma_x, sigma_y) + bump(CENTRE + x, y, sigma_x, sigma_y)


def blur(field: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return it out of focus."""
    return cv2.GaussianBlur(field, (0, 0), sigma * SCALE).astype(np.float32)


def inside(outline: Points, softness: float = 0.4) -> Field:
    """Return how far each pixel belongs to a closed shape, 0 to 1."""
    mask = np.zeros(X.shape, np.uint8)
    fixed = np.round((outline * SCALE - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, 4)
    return blur(np.asarray(mask, np.float32) / np.float32(255), softness)


def strokes(lines: Sequence[tuple[Points, Sequence[float]]]) -> Field:
    """Return the coverage of curves, each with its thickness from point to point."""
    mask = np.zeros(X.shape, np.uint8)
    for points, widths in lines:
        fixed = np.round((points * SCALE - 0.5) * 16).astype(np.int32)
        thick = np.maximum(
            1, np.round(np.interp(np.linspace(0, 1, len(points)), np.linspace(0, 1, len(widths)), widths) * SCALE)
        )
        for start, end, width in zip(fixed[:-1], fixed[1:], thick, strict=False):
            cv2.line(mask, start.tolist(), end.tolist(), 255, int(width), cv2.LINE_AA, 4)
    return np.asarray(mask, np.float32) / np.float32(255)


def inflate(outline: Points, power: float = 0.5) -> Field:
    """Return the height of a pillow with this outline: 0 at its edge and outside, 1 at its highest.

    Solves Poisson's equation inside the outline; its square root is round at the edge as a ball is.
    """
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.round((outline - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    rows, columns = np.nonzero(mask)
    number = np.full(mask.shape, -1)
    number[rows, columns] = np.arange(len(rows))
    own = np.arange(len(rows))
    entries = [(own, own, np.full(len(rows), 4.0))]
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        # Beyond the picture it goes on as it was.
        other = number[np.clip(rows + down, 0, HEIGHT - 1), np.clip(columns + right, 0, WIDTH - 1)]
        near = other >= 0
        entries.append((own[near], other[near], np.full(int(near.sum()), -1.0)))
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    solved = spsolve(coo_array((value, (row, column))).tocsc(), np.ones(len(rows)))
    height = np.zeros(mask.shape, np.float32)
    height[rows, columns] = solved
    smooth = cv2.resize(height, (WIDTH * SCALE, HEIGHT * SCALE), interpolation=cv2.INTER_CUBIC)
    return blur(np.asarray((np.maximum(smooth, 0) / height.max()) ** power, np.float32), 1.0)


def over(picture: NDArray[np.float32], colour: NDArray[np.float32], alpha: Field) -> NDArray[np.float32]:
    """Return the picture with a colour, or another picture, laid over it."""
    return (picture + (colour - picture) * alpha[..., None]).astype(np.float32)


def noise(seed: int, sigma: float) -> Field:
    """Return smooth noise of mean 0 and deviation 1."""
    rough = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), sigma)
    smooth = cv2.resize(smooth / smooth.std(), (WIDTH * SCALE, HEIGHT * SCALE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)
