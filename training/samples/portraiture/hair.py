"""Hair, strand by strand."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.samples.portraiture.canvas import HEIGHT, SCALE, WIDTH, Field, Pairs, curve, linear, to_coded, to_linear

DARK, LIGHT, SHEEN = linear("2a150d"), linear("6b3d22"), linear("c98d5c")
STEPS = 90
HALF = np.array([-0.27, -0.30, 0.915])
"""Between the directions to the key light and to the viewer."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Strands between two guides.

    Attributes:
        inner: A guide, from root to tip.
        outer: The other, with as many points.
        count: How many strands.
        depth: How bright they are: 1 in front, less behind.
        seed: Of what differs between strands.
        spread: How far strands leave their places, in pixels.
    """

    inner: Pairs
    outer: Pairs
    count: int
    depth: float
    seed: int
    spread: float = 5.0

    @property
    def dense(self) -> bool:
        """True where nothing is seen between the strands."""
        return self.count > 100


BACK = (
    Lock(
        [(358, 150), (300, 260), (322, 430), (318, 560), (290, 640)],
        [(340, 104), (200, 190), (172, 390), (158, 560), (172, 668)],
        1500,
        0.34,
        21,
    ),
    Lock(
        [(362, 150), (420, 260), (398, 430), (402, 560), (430, 640)],
        [(380, 104), (520, 190), (548, 390), (562, 560), (548, 668)],
        1500,
        0.34,
        22,
    ),
)
FRONT = (
    Lock(
        [(397, 170), (340, 196), (272, 246), (230, 330), (222, 430), (222, 540), (238, 620), (268, 668)],
        [(400, 90), (296, 94), (206, 165), (174, 290), (158, 430), (142, 540), (148, 625), (196, 700)],
        2600,
        1.0,
        23,
    ),
    Lock(
        [(398, 172), (436, 192), (474, 244), (493, 330), (498, 430), (498, 540), (482, 620), (452, 668)],
        [(396, 90), (468, 101), (522, 165), (546, 290), (562, 430), (578, 540), (572, 625), (524, 700)],
        2200,
        1.0,
        24,
    ),
)


LOOSE = (
    Lock(
        [(397, 168), (352, 196), (290, 246), (241, 330), (231, 440), (232, 540), (256, 640)],
        [(397, 150), (336, 176), (266, 246), (226, 330), (214, 440), (204, 560), (220, 668)],
        46,
        0.85,
        25,
        11,
    ),
    Lock(
        [(398, 168), (428, 192), (466, 244), (485, 330), (490, 440), (490, 540), (470, 640)],
        [(398, 150), (440, 176), (482, 246), (497, 330), (506, 440), (514, 560), (500, 668)],
        40,
        0.8,
        26,
        11,
    ),
    Lock(
        [(396, 96), (298, 98), (208, 167), (176, 290), (160, 430), (145, 540), (152, 630)],
        [(396, 90), (294, 90), (202, 162), (169, 290), (152, 430), (133, 540), (138, 622)],
        26,
        0.9,
        27,
        6,
    ),
    Lock(
        [(400, 96), (466, 105), (520, 167), (544, 290), (560, 430), (575, 540), (568, 630)],
        [(400, 90), (470, 98), (527, 162), (550, 290), (567, 430), (586, 540), (580, 622)],
        26,
        0.7,
        28,
        6,
    ),
)


def paint(locks: tuple[Lock, ...]) -> tuple[NDArray[np.float32], Field]:
    """Return the locks' strands, and where they are."""
    picture = np.zeros((HEIGHT * SCALE, WIDTH * SCALE, 3), np.uint8)
    cover = np.zeros((HEIGHT * SCALE, WIDTH * SCALE), np.uint8)
    for lock in locks:
        if lock.dense:
            _fill(lock, picture, cover)
        _draw(lock, picture, cover)
    alpha = cv2.GaussianBlur(np.asarray(cover, np.float32) / np.float32(255), (0, 0), 0.6)
    return to_linear(np.asarray(picture, np.float32) / np.float32(255)), np.asarray(alpha, np.float32)


def _fill(lock: Lock, picture: NDArray[np.uint8], cover: NDArray[np.uint8]) -> None:
    until = int((0.82 if lock.depth == 1 else 1) * STEPS)
    outline = np.concatenate([curve(lock.inner, STEPS)[:until], curve(lock.outer, STEPS)[:until][::-1]])
    fixed = np.round(outline * SCALE * 16).astype(np.int32)
    base = np.round(to_coded((DARK * lock.depth).astype(np.float32)) * 255).tolist()
    cv2.fillPoly(picture, [fixed], base, cv2.LINE_AA, 4)
    cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)


def _strands(lock: Lock, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the strands' places, [count, STEPS, 2], and where between the guides each lies."""
    inner, outer = curve(lock.inner, STEPS), curve(lock.outer, STEPS)
    clumps = np.sort(random.uniform(0, 1, 70))
    between = random.uniform(0, 1, lock.count)
    nearest = clumps[np.abs(between[:, None] - clumps).argmin(axis=1)]
    along = np.linspace(0, 1, STEPS)
    gathered = between[:, None] + (nearest - between)[:, None] * (0.55 * along**1.2 + 0.33 * along**6)
    places = inner + (outer - inner) * gathered[..., None]
    phase, size = random.uniform(0, 6.28, 70), random.uniform(0.4, 1.0, 70)
    which = np.abs(between[:, None] - clumps).argmin(axis=1)
    wave = np.sin(along * 9 + phase[which][:, None]) * size[which][:, None] * along**1.3 * lock.spread
    stray = random.normal(0, 1, (lock.count, 1)) * along**1.5 * lock.spread * 0.35
    places[..., 0] += wave * 0.7 + stray
    return places, between


def _draw(lock: Lock, picture: NDArray[np.uint8], cover: NDArray[np.uint8]) -> None:
    random = np.random.default_rng(lock.seed)
    places, between = _strands(lock, random)
    shine = _shine(places, random)
    edge = np.clip(np.minimum(between, 1 - between) * 5, 0, 1)
    tone = random.normal(0, 0.16, lock.count) + 0.12 * np.sin(between * 47) + 0.1 * np.sin(between * 19 + 1)
    length = np.clip(random.normal(0.93, 0.06, lock.count), 0.70, 1.0)
    fixed = np.round(places * SCALE * 16).astype(np.int32)
    for index in random.permutation(lock.count):
        amount = np.clip(0.38 + tone[index] + 0.30 * edge[index] - 0.2, 0, 1)
        base = (DARK + (LIGHT - DARK) * amount) * lock.depth
        light = base + SHEEN * shine[index][:, None] * lock.depth * (0.45 + 0.55 * edge[index])
        colours = np.round(to_coded(light.astype(np.float32)) * 255)
        width = int(random.integers(1, 3)) if lock.dense else 1
        last = int(length[index] * STEPS) - 1
        for step in range(last):
            ends = fixed[index, step].tolist(), fixed[index, step + 1].tolist()
            cv2.line(picture, *ends, colours[step].tolist(), width if step < last - 8 else 1, cv2.LINE_AA, 4)
            cv2.line(cover, *ends, 255, width if step < last - 8 else 1, cv2.LINE_AA, 4)


def _shine(places: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Return the strands' gloss (Kajiya and Kay, 1989), as though they lay on an ellipsoid with a cylinder below it."""
    x, y = (places[..., 0] - 360) / 205, np.minimum(places[..., 1] - 330, 0) / 250
    z = 190 * np.sqrt(np.clip(1 - x**2 - y**2, 0.02, 1))
    along = np.gradient(np.concatenate([places, z[..., None]], axis=2), axis=1)
    along /= np.linalg.norm(along, axis=2, keepdims=True) + 1e-9
    half = HALF / np.linalg.norm(HALF)
    across = np.sqrt(np.clip(1 - (along @ half + random.normal(0, 0.06, (len(places), 1))) ** 2, 0, 1))
    facing = np.clip(0.55 - 0.45 * x + 0.3 * -y, 0.1, 1)
    below = np.clip((places[..., 1] - 470) / 90, 0, 1)
    return np.asarray((0.10 * across**8 + 0.46 * across**60 * (1 - 0.7 * below)) * facing)
