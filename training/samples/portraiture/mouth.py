"""The lips: closed, relaxed, nearly smiling."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.samples.portraiture.canvas import (
    CENTRE,
    Field,
    Pairs,
    Points,
    X,
    Y,
    blur,
    bump,
    curve,
    inflate,
    inside,
    linear,
    moved,
    over,
    strokes,
)

Y0 = 486.0
LINE = [(-50, -7), (-31, -0.5), (-12, 0), (0, 2), (12, 0), (31, -0.5), (50, -7)]
UPPER = [(-50, -7), (-28, -12), (-10, -17.5), (0, -14.5), (10, -17.5), (28, -12), (50, -7)]
LOWER = [(-50, -7), (-34, 9), (-16, 19.5), (0, 21.5), (16, 19.5), (34, 9), (50, -7)]
ROSE = linear("c4686a")


def _placed(points: Pairs) -> Points:
    return moved(curve(points, 120), CENTRE, Y0)


def _shape(edge: Pairs) -> Points:
    return np.concatenate([_placed(edge), _placed(LINE)[::-1]])


@cache
def area() -> Field:
    """Return where the lips are, 0 to 1."""
    return np.maximum(inside(_shape(UPPER), 1.2), inside(_shape(LOWER), 1.2))


def relief() -> Field:
    """Return how far the lips stand out, in pixels."""
    upper, lower = inflate(_shape(UPPER), 0.8), inflate(_shape(LOWER), 0.75)
    between = blur(strokes([(_placed(LINE), [0.5, 2, 2, 2, 0.5])]), 1.2)
    return np.asarray(blur(5.5 * upper + 10 * lower, 1.6) - 1.2 * between, np.float32)


def coloured(skin: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the skin's own colour with that of the lips."""
    folds = 1 + 0.035 * np.sin((X - CENTRE) * 1.15 + 1.5 * np.sin((Y - Y0) * 0.25)) * np.exp(
        -(((X - CENTRE) / 40) ** 2)
    )
    lips = ROSE * folds[..., None].astype(np.float32)
    lips = lips * (1 - 0.16 * inside(_shape(UPPER), 1.0)[..., None])
    skin = skin + (lips - skin) * (area() * 0.86)[..., None]
    line = blur(strokes([(_placed(LINE), [1.0, 1.9, 2.3, 2.4, 2.3, 1.9, 1.0])]), 0.7)
    corners = bump(CENTRE - 50, Y0 - 7, 4, 3) + bump(CENTRE + 50, Y0 - 7, 4, 3)
    dark = np.clip(line * 0.85 + corners * 0.35, 0, 0.9)
    return over(skin, linear("5a2024"), np.asarray(dark, np.float32))
