"""The bundled portrait."""

import cv2
import numpy as np
import pytest

from models.samples import PORTRAIT

pytestmark = pytest.mark.unit


def test_it_is_a_small_upright_picture_with_even_sides() -> None:
    data = PORTRAIT.read_bytes()
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (800, 720, 3)
    assert len(data) < 700_000


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
def test_a_cascade_finds_its_one_face_at_every_size(scale: float) -> None:
    data = np.frombuffer(PORTRAIT.read_bytes(), np.uint8)
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")  # type: ignore[attr-defined]
    (left, top, width, height), *others = np.asarray(cascade.detectMultiScale(small, 1.1, 5)).tolist()
    assert others == []
    assert abs(left + width / 2 - 360 * scale) < 15 * scale
    assert abs(top + height / 2 - 375 * scale) < 25 * scale
