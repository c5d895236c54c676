"""The head's form and skin, without eyes, lips and hair."""

import numpy as np
from numpy.typing import NDArray

from training.samples.portraiture import mouth
from training.samples.portraiture.canvas import (
    CENTRE,
    Field,
    Pairs,
    Points,
    X,
    Y,
    blur,
    both,
    bump,
    curve,
    inflate,
    inside,
    linear,
    noise,
    over,
    profile,
)
from training.samples.portraiture.light import cast_shadow, skin_light

EYE_X, EYE_Y = 63.0, 347.0

SKIN = linear("e9b596")


def outline() -> Points:
    """Return the face's outline, from the chin round the forehead."""
    half = [
        (0, 561),
        (24, 558),
        (48, 546),
        (78, 518),
        (106, 478),
        (126, 425),
        (136, 370),
        (139, 310),
        (136, 250),
        (118, 180),
        (70, 130),
        (0, 116),
    ]
    return curve(_round(half), 400, closed=True)


def _round(half: Pairs) -> Pairs:
    right = [(CENTRE + x, y) for x, y in half]
    left = [(CENTRE - x, y) for x, y in reversed(half[1:-1])]
    return [*right, *left]


def relief(edge: Points) -> Field:
    """Return the face's height towards the viewer, in pixels."""
    height = 128 * inflate(edge, 0.46)
    height += _nose() - 15 * both(EYE_X - 4, EYE_Y - 2, 34, 19) + 9 * both(EYE_X, EYE_Y + 1, 24, 17)
    height += 4.5 * both(58, 303, 42, 11) - 2.5 * bump(CENTRE, 312, 12, 14) + 9.5 * both(82, 404, 33, 28)
    height += 11 * bump(CENTRE, 478, 52, 36) + 10 * bump(CENTRE, 543, 25, 20) - 5 * bump(CENTRE, 518, 30, 8)
    height -= 2.2 * bump(CENTRE, 455, 4.5, 9) - 1.0 * both(8, 456, 3.5, 9)
    height -= 2.2 * both(57, 482, 6, 8) + 1.6 * both(52, 458, 7, 18)
    height -= 3.0 * both(112, 470, 26, 46)
    return np.asarray(height + mouth.relief(), np.float32)


def _nose() -> Field:
    under = 0.024 * np.minimum(np.abs(X - CENTRE), 18) ** 2
    ridge = profile(
        [(290, 0), (322, 4), (345, 9), (380, 20), (404, 31), (418, 35), (430, 31), (440, 19), (450, 7), (461, 0)],
        Y + under,
    )
    width = profile([(290, 22), (330, 14), (350, 13), (385, 15), (410, 17), (422, 18), (436, 15), (450, 12)], Y)
    across = np.abs(X - CENTRE) / width
    body = ridge * np.exp(-(across**2) * 0.62)
    wings = 14 * both(19.5, 430, 7.5, 7.5)
    return blur((body + wings + 6 * bump(CENTRE, 417, 12, 12)).astype(np.float32), 2.2)


def _albedo() -> NDArray[np.float32]:
    warm = 0.55 * both(86, 415, 34, 26) + 0.45 * bump(CENTRE, 424, 20, 14) + 0.3 * bump(CENTRE, 545, 26, 16)
    warm = warm + 0.35 * both(20, 430, 10, 10) + 0.25 * both(EYE_X, 325, 30, 9)
    dark = 0.30 * both(EYE_X - 12, EYE_Y + 19, 26, 9) + 0.25 * both(EYE_X - 6, EYE_Y - 22, 30, 10)
    mottled = 0.012 * noise(3, 1.2) + 0.018 * noise(4, 9)
    skin = SKIN * (1 + mottled[..., None])
    skin = skin * (1 - warm[..., None] * np.array([0.03, 0.20, 0.19], np.float32))
    return np.asarray(skin * (1 - dark[..., None] * np.array([0.16, 0.24, 0.22], np.float32)), np.float32)


def paint(hair_shade: Field) -> tuple[NDArray[np.float32], Field]:
    """Return the face, lit, and where it is.

    Args:
        hair_shade: Shadow that the hair casts, 0 to 1.
    """
    edge = outline()
    height = relief(edge)
    shadow = np.maximum(cast_shadow(height), hair_shade)
    light, shine = skin_light(height, shadow)
    albedo = mouth.coloured(_albedo())
    gloss = shine * (1 + 1.1 * mouth.area()) * (1 + 0.06 * noise(5, 0.8))
    face = albedo * light * 1.12 + gloss[..., None]
    for side in (-1, 1):
        face = _nostril(face, side)
    return face.astype(np.float32), inside(edge, 0.8)


def _nostril(face: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    tilted = (Y - 437.5) + side * (X - CENTRE - side * 11.5) * -0.28
    depth = np.exp(-((((X - CENTRE - side * 11.5) / 6.4) ** 2 + (tilted / 2.7) ** 2) ** 1.4))
    crease = np.exp(-((((X - CENTRE - side * 28.5) / 2.2) ** 2 + ((Y - 431) / 8.0) ** 2) ** 1.2))
    depth = blur(depth.astype(np.float32), 0.7) * 0.86 + blur(crease.astype(np.float32), 1.2) * 0.30
    return over(face, linear("4a1d16"), np.asarray(depth, np.float32))
