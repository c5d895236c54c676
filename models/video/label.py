"""Text label drawn into every frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from models.lipsync.types import Image

LETTERS = 0.03
LEAST_LETTERS, MOST_LETTERS = 9, 40
"""Size of the letters: a share of the shorter side, and its bounds in pixels."""

BOX, BOX_ALPHA = 22, 170
INK = 245

_FINER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A small picture that lies over a large one; all sides and places are even, as 4:2:0 needs them.

    Attributes:
        image: BGR, uint8[height, width, 3].
        alpha: uint8[height, width]: how much of it is seen, 0 to 255.
        left: Column of the large picture that it begins in.
        top: Row that it begins in.
    """

    image: Image
    alpha: NDArray[np.uint8]
    left: int
    top: int


def label_overlay(text: str, width: int, height: int) -> Overlay:
    """Return light words on a dark, translucent box in the lower right corner: readable on any picture.

    Text that is too long for a line is wrapped.

    Args:
        text: Printable ASCII, which is what the bundled font is sure to have.
        width: Of the pictures that it goes on, in pixels, at least 96.
        height: Likewise.

    Raises:
        ValueError: The text is empty or has other characters, or it is too long for such small pictures.
    """
    if not text.strip() or not (text.isascii() and text.isprintable()):
        raise ValueError("the label's text must be printable ASCII")
    size = int(np.clip(round(min(width, height) * LETTERS), LEAST_LETTERS, MOST_LETTERS))
    margin, padding = _even(size * 0.6), max(2, round(size * 0.45))
    font = _font(size * _FINER)
    lines = _wrapped(text, font, (width - 2 * margin - 2 * padding) * _FINER)
    line_height = round(size * 1.25)
    wide = _even(max(font.getlength(line) for line in lines) / _FINER + 2 * padding)
    high = _even(line_height * len(lines) + 2 * padding - (line_height - size))
    left, top = (width - margin - wide) // 2 * 2, (height - margin - high) // 2 * 2
    if left < 0 or top < 0:
        raise ValueError(f"the label's text is too long for pictures of {width} x {height}")
    box, ink = _drawn(lines, font, wide, high, padding, line_height)
    alpha = ink + (255 - ink) * box / 255 * BOX_ALPHA / 255
    tone = (INK * ink + BOX * (alpha - ink)) / np.maximum(alpha, 1)
    image = np.repeat(np.round(tone).astype(np.uint8)[..., None], 3, axis=2)
    return Overlay(image, np.round(alpha).astype(np.uint8), left, top)


def _even(length: float) -> int:
    return 2 * int(np.ceil(length / 2))


def _font(size: int) -> FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):
        raise RuntimeError("this build of Pillow has no FreeType: labels cannot be drawn")
    return font


def _wrapped(text: str, font: FreeTypeFont, room: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
            continue
        lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def _drawn(
    lines: list[str], font: FreeTypeFont, width: int, height: int, padding: int, line_height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coverage of the box and of the letters on it, 0 to 255; drawn larger, so that edges are smooth."""
    size = (width * _FINER, height * _FINER)
    box, ink = Pillow.new("L", size), Pillow.new("L", size)
    ImageDraw.Draw(box).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius=padding * _FINER, fill=255)
    pen = ImageDraw.Draw(ink)
    for number, line in enumerate(lines):
        # "ls": the baseline's left end; letters stand 0.75 of their size above it.
        baseline = padding * _FINER + number * line_height * _FINER + font.size * 0.82
        pen.text((padding * _FINER, baseline), line, fill=255, font=font, anchor="ls")
    small = [layer.resize((width, height), Pillow.Resampling.BOX) for layer in (box, ink)]
    return np.asarray(small[0], np.float64), np.asarray(small[1], np.float64)
