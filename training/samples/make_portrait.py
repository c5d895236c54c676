"""Paints the bundled avatar, ``portrait.png``: a person who does not exist.

    python -m training.samples.make_portrait [FILE]

The face is a height field lit by two lamps, with light that travels within the skin; eyes and lips are drawn on it, and
the hair is drawn strand by strand. No picture of anybody went into it. The same versions of NumPy, SciPy and OpenCV
make the same bytes.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import models.samples
from training.samples.portraiture import clothes, eyes, face, hair
from training.samples.portraiture.canvas import (
    HEIGHT,
    SCALE,
    WIDTH,
    Field,
    X,
    Y,
    blur,
    inside,
    linear,
    moved,
    over,
    to_coded,
)


def paint() -> NDArray[np.uint8]:
    """Return the portrait, uint8[800, 720, 3], BGR."""
    picture = _background()
    back, back_cover = hair.paint(hair.BACK)
    front, front_cover = hair.paint(hair.FRONT)
    picture = over(picture, back, back_cover)
    picture = clothes.paint(picture, _head_shade())
    skin, cover = face.paint(_shifted(blur(front_cover, 5.0), 7, 10) * 0.75)
    picture = over(picture, skin, cover)
    picture = eyes.paint(picture)
    picture = over(picture, picture * 0.3, _shifted(blur(front_cover, 4.0), 4, 6) * 0.5)
    picture = over(picture, front, front_cover)
    picture = over(picture, *hair.paint(hair.LOOSE))
    return _developed(picture)


def _background() -> NDArray[np.float32]:
    glow = np.exp(-0.5 * (((X - 300) / 330) ** 2 + ((Y - 300) / 380) ** 2))
    low, high = linear("59666c"), linear("c3c8c6")
    return (low + (high - low) * glow[..., None]).astype(np.float32)


def _head_shade() -> Field:
    shade = np.clip(1.3 * blur(inside(moved(face.outline(), 8, 22), 1.0), 10.0), 0, 1)
    return np.asarray(shade * (Y < 720), np.float32)


def _shifted(field: Field, right: float, down: float) -> Field:
    shift = np.array([[1, 0, right * SCALE], [0, 1, down * SCALE]], np.float32)
    return np.asarray(cv2.warpAffine(field, shift, (field.shape[1], field.shape[0])), np.float32)


def _developed(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    vignette = 1 - 0.25 * np.clip(np.hypot((X - 360) / 520, (Y - 380) / 560) - 0.35, 0, 1)
    light = picture * vignette[..., None]
    small = cv2.resize(np.asarray(light, np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.round(to_coded(np.asarray(small, np.float32))[..., ::-1] * 255), np.uint8)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Paint the bundled avatar.")
    parser.add_argument("file", nargs="?", type=Path, default=Path(models.samples.__file__).with_name("portrait.png"))
    file = parser.parse_args().file
    cv2.imwrite(str(file), paint(), [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
