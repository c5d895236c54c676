"""Calibration of spoof scores."""

import numpy as np
import pytest
from scipy.special import expit

from models.spoof.calibration import Calibration, calibrate

pytestmark = [pytest.mark.unit, pytest.mark.slow]


def scores(scale: float, bias: float, count: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose P(spoof) is sigmoid(scale * logit + bias) where both classes are equally frequent."""
    rng = np.random.default_rng(3)
    calibrated = rng.normal(0, 3, count)
    calibrated = np.concatenate((calibrated, -calibrated))
    labels = (rng.random(len(calibrated)) < expit(calibrated)).astype(np.int64)
    return (calibrated - bias) / scale, labels


@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.5, -1.5), (4.0, 2.0)])
def test_the_slope_and_the_bias_that_made_the_scores_are_found(scale: float, bias: float) -> None:
    found = calibrate(*scores(scale, bias))
    assert found.scale == pytest.approx(scale, rel=0.05)
    assert found.bias == pytest.approx(bias, abs=0.08)


def test_the_share_of_the_classes_does_not_matter() -> None:
    logits, labels = scores(1.0, 1.0)
    kept = (labels == 1) | (np.arange(len(labels)) % 10 == 0)
    found = calibrate(logits[kept], labels[kept])
    assert found.bias == pytest.approx(1.0, abs=0.15)


def test_weights_count_like_repetitions() -> None:
    logits, labels = scores(1.0, 0.5, 300)
    times = np.arange(len(labels)) % 3 + 1
    weighted = calibrate(logits, labels, times)
    repeated = calibrate(np.repeat(logits, times), np.repeat(labels, times))
    # Platt's targets know how many scores there are, and that is all that differs.
    assert weighted.scale == pytest.approx(repeated.scale, rel=0.05)
    assert weighted.bias == pytest.approx(repeated.bias, abs=0.05)


def test_separable_scores_keep_a_finite_slope() -> None:
    found = calibrate(np.array([-5.0, -4.0, 4.0, 5.0]), np.array([0, 0, 1, 1]))
    assert 0 < found.scale < 10
    assert found.probability(np.array([-5.0, 5.0])) == pytest.approx([0.25, 0.75], abs=0.15)


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="both classes"):
        calibrate(np.array([0.1, 0.2]), np.array([1, 1]))


def test_probabilities_are_float32_within_bounds() -> None:
    probability = Calibration(2.0, -1.0).probability(np.array([-1e4, 0.5, 1e4], np.float32))
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, [0, 0.5, 1])
