"""The outline of a recording: true to its peaks, bounded whatever the length."""

import numpy as np
import pytest

from models.audio import SAMPLE_RATE, Waveform
from models.audio.waveform import FIRST_POINT_SAMPLES, MOST_POINTS

pytestmark = pytest.mark.unit

FINEST = MOST_POINTS * FIRST_POINT_SAMPLES


def outline_of(samples: np.ndarray, *cuts: int) -> Waveform:
    waveform = Waveform()
    for part in np.split(samples, cuts):
        waveform.add(part.astype(np.float32))
    return waveform


def expected(samples: np.ndarray, point: int) -> tuple[int, ...]:
    starts = range(0, len(samples), point)
    peaks = [np.abs(samples[start : start + point].astype(np.float32)).max() for start in starts]
    return tuple(np.rint(100 * np.minimum(peaks, np.float32(1))).astype(int).tolist())


def test_nothing_has_no_points() -> None:
    outline = Waveform().outline()
    assert (outline.duration, outline.peaks) == (0.0, ())


def test_peaks_are_magnitudes_in_percent_of_full_scale() -> None:
    samples = np.zeros(4 * FIRST_POINT_SAMPLES)
    samples[5], samples[FIRST_POINT_SAMPLES + 1], samples[2 * FIRST_POINT_SAMPLES] = -0.5, 0.25, 1.7
    outline = outline_of(samples).outline()
    assert outline.peaks == (50, 25, 100, 0)
    assert (outline.duration, outline.seconds_per_point) == (0.04, 0.01)


@pytest.mark.parametrize(
    ("length", "point"),
    [
        (1, 1),
        (FIRST_POINT_SAMPLES + 1, 1),
        (FINEST - 1, 1),
        (FINEST, 1),
        (FINEST + 1, 2),
        (2 * FINEST, 2),
        (2 * FINEST + 1, 4),
        (7 * FINEST + 12_345, 8),
    ],
)
def test_resolution_halves_as_the_recording_grows(length: int, point: int) -> None:
    samples = np.random.default_rng(length).normal(0.0, 0.3, length)
    outline = outline_of(samples).outline()
    assert outline.seconds_per_point == point * 0.01
    assert outline.duration == length / SAMPLE_RATE
    assert len(outline.peaks) <= MOST_POINTS
    assert outline.peaks == expected(samples, point * FIRST_POINT_SAMPLES)


def test_how_the_recording_is_cut_into_blocks_does_not_matter() -> None:
    random = np.random.default_rng(7)
    samples = random.normal(0.0, 0.3, 3 * FINEST + 77)
    whole = outline_of(samples).outline()
    for _ in range(5):
        cuts = np.sort(random.integers(0, len(samples), random.integers(1, 200)))
        assert outline_of(samples, *cuts.tolist()).outline() == whole
    assert outline_of(samples[:3000], *range(1, 3000)).outline() == outline_of(samples[:3000]).outline()


def test_an_outline_may_be_looked_at_on_the_way() -> None:
    samples = np.random.default_rng(1).normal(0.0, 0.3, FINEST + 1000)
    waveform = outline_of(samples[:1000])
    assert waveform.outline().peaks == expected(samples[:1000], FIRST_POINT_SAMPLES)
    waveform.add(samples[1000:].astype(np.float32))
    assert waveform.outline() == outline_of(samples).outline()
