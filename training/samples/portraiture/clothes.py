"""Neck, shoulders and what is worn."""

import numpy as np
from numpy.typing import NDArray

from training.samples.portraiture.canvas import (
    CENTRE,
    Field,
    blur,
    both,
    bump,
    curve,
    inflate,
    inside,
    linear,
    moved,
    noise,
    over,
    strokes,
)
from training.samples.portraiture.face import SKIN
from training.samples.portraiture.light import KEY, cast_shadow, normals, skin_light

NECK = [
    (284, 470),
    (288, 560),
    (280, 612),
    (232, 640),
    (150, 690),
    (150, 830),
    (570, 830),
    (570, 690),
    (488, 640),
    (440, 612),
    (432, 560),
    (436, 470),
]
BODY = [
    (40, 860),
    (52, 770),
    (86, 716),
    (150, 678),
    (226, 650),
    (258, 690),
    (300, 742),
    (360, 764),
    (420, 742),
    (462, 690),
    (494, 650),
    (570, 678),
    (634, 716),
    (668, 770),
    (680, 860),
]
COLLAR = [(226, 650), (258, 690), (300, 742), (360, 764), (420, 742), (462, 690), (494, 650)]
CLOTH = linear("23505a")


def paint(picture: NDArray[np.float32], head_shade: Field) -> NDArray[np.float32]:
    """Return the picture with neck and shoulders."""
    edge = curve(NECK, 300, closed=True)
    height = (
        95 * inflate(edge, 0.5)
        + 2.0 * both(56, 676, 34, 6)
        - 5 * bump(CENTRE, 680, 9, 12)
        + 2.6 * both(27, 624, 11, 36)
        - 2 * bump(CENTRE, 644, 13, 24)
    )
    light, shine = skin_light(height, np.maximum(cast_shadow(height), head_shade))
    skin = SKIN * np.array([0.98, 0.95, 0.94], np.float32)
    neck = (
        skin * light * 1.05 * (1 - 0.45 * head_shade[..., None] * np.array([0.8, 1.0, 1.0], np.float32))
        + 0.7 * shine[..., None]
    )
    picture = over(picture, neck.astype(np.float32), inside(edge, 0.8))
    return _cloth(picture)


def _cloth(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    outline = np.concatenate([curve(BODY, 400)])
    mask = inside(outline, 0.7)
    collar = curve(COLLAR, 200)
    height = 70 * inflate(np.clip(outline, [0, 0], [719, 799]), 0.5)
    band = blur(strokes([(moved(collar, 0, 8), [15.0])]), 2.0) * mask
    folds = 2.2 * noise(10, 22)
    facing = normals(height + 5 * band + folds)
    key = np.clip((facing @ (KEY / np.linalg.norm(KEY)) + 0.2) / 1.2, 0, 1)
    knit = 1 + 0.015 * noise(8, 0.7) + 0.02 * noise(9, 4)
    cloth = CLOTH * ((0.28 + 0.95 * key) * knit)[..., None]
    picture = over(picture, picture * 0.45, blur(strokes([(moved(collar, 0, -2), [6.0])]), 3.5) * 0.8)
    return over(picture, cloth.astype(np.float32), mask)
