"""The visible label."""

import numpy as np
import pytest

from models.video.label import BOX, INK, label_overlay

pytestmark = pytest.mark.unit

SIZES = [(96, 96), (360, 400), (720, 800), (1280, 720), (4096, 96), (98, 1280)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("text", ["AI-generated", "Made by a machine, said by nobody at all"])
def test_a_label_lies_within_the_picture_on_even_places(text: str, size: tuple[int, int]) -> None:
    width, height = size
    label = label_overlay(text, width, height)
    rows, columns = label.alpha.shape
    assert label.image.shape == (rows, columns, 3)
    assert label.left >= 0 and label.top >= 0
    assert label.left + columns <= width and label.top + rows <= height
    assert not any(length % 2 for length in (rows, columns, label.left, label.top))


@pytest.mark.parametrize("below", [0, 128, 255])
@pytest.mark.parametrize("size", SIZES)
def test_its_letters_stand_out_on_any_ground(below: int, size: tuple[int, int]) -> None:
    label = label_overlay("AI-generated", *size)
    alpha = label.alpha[..., None] / 255
    seen = label.image * alpha + below * (1 - alpha)
    letters = seen[label.image[..., 0] > (INK + BOX) / 2]
    ground = seen[label.image[..., 0] == BOX]
    assert letters.size > 100
    assert letters.mean() - np.median(ground) > 90


def test_it_lies_in_the_lower_right_corner_and_covers_little() -> None:
    label = label_overlay("AI-generated", 720, 800)
    rows, columns = label.alpha.shape
    assert label.left > 360 and label.top > 700
    assert rows * columns < 0.02 * 720 * 800


def test_its_corners_are_round() -> None:
    label = label_overlay("AI-generated", 720, 800)
    assert label.alpha[0, 0] == 0
    assert label.alpha[label.alpha.shape[0] // 2, 0] > 100


def test_long_text_is_wrapped_on_a_narrow_picture() -> None:
    short, long = label_overlay("AI", 120, 400), label_overlay("AI generated from text by VoiceGraph", 120, 400)
    assert long.alpha.shape[0] > 1.4 * short.alpha.shape[0]


@pytest.mark.parametrize("text", ["", "  ", "создано ИИ", "two\nlines"])
def test_text_that_the_font_may_lack_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        label_overlay(text, 720, 800)


def test_text_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        label_overlay("x" * 400, 96, 96)
