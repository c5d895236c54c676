"""Eyes, lids, lashes and brows."""

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
    curve,
    inside,
    linear,
    moved,
    over,
    strokes,
)
from training.samples.portraiture.face import EYE_X, EYE_Y

# Of the eye on the viewer's right; x grows outwards, away from the nose.
UPPER = [(-32, 6), (-24, -3.5), (-10, -12.5), (6, -14.5), (21, -9.5), (34, -3)]
LOWER = [(-32, 6), (-18, 9.8), (2, 10.8), (18, 7.4), (34, -3)]
CREASE = [(-30, -5), (-18, -16), (0, -23.5), (18, -20.5), (36, -9)]
IRIS, IRIS_Y, PUPIL = 14.2, -2.0, 5.6
BROW_LOWER = [(-36, -36), (-20, -40.5), (4, -46), (24, -45.5), (46, -33)]
BROW_UPPER = [(-36, -48), (-18, -52), (6, -57), (26, -53.5), (46, -33)]
BROWN = linear("6f4527")


def paint(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture with both eyes."""
    for side in (-1, 1):
        picture = _brow(_lashes(_eyeball(_lids(picture, side), side), side), side)
    return picture


def _placed(points: Pairs, side: int, count: int = 120) -> Points:
    return moved(curve(points, count) * [side, 1], CENTRE + side * EYE_X, EYE_Y)


def _opening(side: int) -> Points:
    return np.concatenate([_placed(UPPER, side), _placed(LOWER, side)[::-1]])


def _lids(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    crease = blur(strokes([(_placed(CREASE, side), [0.8, 2.2, 2.4, 2.0, 0.8])]), 1.1)
    picture = over(picture, picture * np.array([0.52, 0.38, 0.34], np.float32), np.clip(crease * 0.85, 0, 1))
    liner = blur(inside(_opening(side), 1.0), 3.2)
    picture = over(picture, picture * np.array([0.60, 0.44, 0.40], np.float32), liner * 0.55)
    bag = blur(strokes([(moved(_placed(LOWER, side), 0, 9), [0.5, 1.5, 1.5, 0.5])]), 2.2)
    return over(picture, picture * np.array([0.85, 0.74, 0.72], np.float32), bag * 0.7)


def _eyeball(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    x, y = X - (CENTRE + side * EYE_X), Y - EYE_Y
    white = linear("efe6df") * np.ones((*X.shape, 1), np.float32)
    round_shade = np.clip(1.02 - 0.42 * (np.abs(x) / 34) ** 2.2, 0, 1)[..., None]
    white = white * round_shade * np.array([1.0, 0.985, 0.97], np.float32)
    inner = np.exp(-(((x * side + 29) / 5.5) ** 2) - ((y - 4.5) / 5) ** 2)
    white = over(white, linear("c98076"), np.clip(inner, 0, 1).astype(np.float32) * 0.9)
    eye = _iris(white, x, y - IRIS_Y)
    top = _distance_below_lid(side)
    shade = np.exp(-np.clip(top, 0, None) / 5.0)
    eye = eye * (1 - 0.62 * shade[..., None] * np.array([0.9, 1.0, 1.0], np.float32))
    eye = _highlights(eye, x, y - IRIS_Y)
    mask = inside(_opening(side), 0.5)
    wet = np.clip(inside(moved(_opening(side), 0, 1.4), 0.6) - mask, 0, 1)
    picture = over(picture, linear("d99f92"), wet * 0.75)
    return over(picture, eye, mask)


def _distance_below_lid(side: int) -> Field:
    lid = _placed(UPPER, side)
    lid = lid[np.argsort(lid[:, 0])]
    return np.asarray(Y - np.interp(X[0], lid[:, 0], lid[:, 1])[None, :], np.float32)


def _iris(white: NDArray[np.float32], x: Field, y: Field) -> NDArray[np.float32]:
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    fibres = sum(
        weight * np.sin(count * angle + phase + radius * twist)
        for count, weight, phase, twist in (
            (23, 0.5, 0.4, 0.1),
            (37, 0.5, 2.1, -0.15),
            (61, 0.4, 4.0, 0.2),
            (11, 0.4, 1.0, 0.0),
        )
    )
    out = radius / IRIS
    light = 0.62 + 0.16 * fibres * np.clip(out * 1.3 - 0.3, 0, 1) + 0.55 * np.clip(y / IRIS, -0.2, 1) * (1 - out**4)
    colour = BROWN * np.clip(light, 0.15, 1.6)[..., None]
    amber = np.exp(-(((out - 0.52) / 0.16) ** 2))[..., None]
    colour = colour * (1 + amber * np.array([0.55, 0.32, 0.05], np.float32))
    ring = np.clip((out - 0.78) / 0.22, 0, 1) ** 1.5
    colour = colour * (1 - 0.80 * ring[..., None])
    pupil = np.clip((PUPIL + 0.6 - radius) / 1.2, 0, 1)[..., None]
    colour = colour * (1 - pupil) + 0.004 * pupil
    return over(white, colour.astype(np.float32), np.clip((IRIS + 0.8 - radius) / 1.6, 0, 1).astype(np.float32))


def _highlights(eye: NDArray[np.float32], x: Field, y: Field) -> NDArray[np.float32]:
    main = np.clip(1.35 - (((x + 4.6) / 3.6) ** 2 + ((y + 4.4) / 3.3) ** 2) ** 0.9, 0, 1)
    small = np.clip(1.2 - ((x - 4.8) / 1.5) ** 2 - ((y - 5.2) / 1.5) ** 2, 0, 1) * 0.4
    return over(eye, np.ones(3, np.float32) * 0.97, np.clip(main + small, 0, 1).astype(np.float32))


def _lashes(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    random = np.random.default_rng(11)
    lid, under = _placed(UPPER, 1), _placed(LOWER, 1)
    lines = []
    for along in np.linspace(0.16, 1.0, 46):
        root = lid[int(along * (len(lid) - 1))]
        lean = -0.75 + 1.75 * along + random.normal(0, 0.06)
        length = (6.0 + 7.5 * along**1.3) * random.uniform(0.8, 1.1)
        lines.append((_hair(root, lean, -1.0, length, -0.30), [0.9, 0.6, 0.3]))
    for along in np.linspace(0.25, 0.97, 26):
        root = under[int(along * (len(under) - 1))] + [0, 0.8]
        lines.append((_hair(root, -0.5 + 1.4 * along, 1.0, random.uniform(3.0, 5.0), 0.25), [0.5, 0.4]))
    flipped = [
        ((points - [CENTRE + EYE_X, 0]) * [side, 1] + [CENTRE + side * EYE_X, 0], widths) for points, widths in lines
    ]
    edge = strokes([(moved(_placed(UPPER, side), 0, -0.6), [0.9, 1.8, 2.6, 2.9, 3.0, 1.6])])
    wing = strokes([(_placed([(28, -4.5), (34, -6), (39, -9.5)], side), [2.4, 1.4, 0.5])])
    dark = np.maximum(np.maximum(blur(edge, 0.5), blur(wing, 0.5)) * 0.95, blur(strokes(flipped[:46]), 0.25) * 0.85)
    fine = blur(strokes(flipped[46:]), 0.3) * 0.42
    return over(picture, linear("1d110e"), np.clip(np.maximum(dark, fine), 0, 1))


def _hair(root: Points, lean: float, way: float, length: float, bend: float) -> Points:
    steps = np.linspace(0, 1, 8)[:, None]
    direction = np.array([lean, way]) / np.hypot(lean, way)
    return np.asarray(root + length * (steps * direction + 0.6 * bend * way * steps**2 * np.array([0.0, 1.0])))


def _brow(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    random = np.random.default_rng(12)
    low, high = _placed(BROW_LOWER, 1, 200), _placed(BROW_UPPER, 1, 200)
    lines = []
    for _ in range(620):
        along, across = random.uniform(0, 0.97), random.uniform(0, 1)
        if along < 0.2 and random.uniform() > 0.25 + 3.5 * along:
            continue
        index = int(along * 199)
        root = low[index] * (1 - across) + high[index] * across
        ahead = low[min(index + 12, 199)] * (1 - across) + high[min(index + 12, 199)] * across - root
        ahead = ahead / max(np.hypot(*ahead), 1e-6)
        rise = np.clip(0.9 - 2.0 * along, -0.25, 0.9) + 0.35 * (0.5 - across)
        direction = ahead + np.array([0.0, -rise]) + random.normal(0, 0.08, 2)
        direction /= np.hypot(*direction)
        length = random.uniform(7, 11) * (1 - 0.35 * along)
        steps = np.linspace(0, 1, 7)[:, None]
        points = root + length * (steps * direction + 0.18 * steps**2 * ahead)
        lines.append(((points - [CENTRE + EYE_X, 0]) * [side, 1] + [CENTRE + side * EYE_X, 0], [0.5, 0.5, 0.3]))
    shape = np.concatenate([_placed(BROW_LOWER, side), _placed(BROW_UPPER, side)[::-1]])
    fade = np.clip((side * (X - CENTRE) - EYE_X + 40) / 22, 0, 1)
    under = blur(inside(shape, 2.0), 1.5) * 0.5 * fade
    picture = over(picture, linear("4a2c1c"), np.asarray(under, np.float32))
    return over(picture, linear("2c1810"), blur(strokes(lines), 0.35) * 0.6)
