import numpy as np
import pytest

from training.spoof.metrics import det_curve, eer, min_dcf

pytestmark = pytest.mark.unit


def test_eer_of_separable_scores_is_zero_and_its_threshold_separates_them() -> None:
    rate, threshold = eer([0.1, 0.2, 0.3], [0.8, 0.9])
    assert rate == 0
    assert 0.3 < threshold <= 0.8


def test_eer_of_scores_by_hand() -> None:
    # From 0.6 on spoof, one of four real voices is refused (0.7) and one of four fakes passes (0.4).
    rate, threshold = eer([0.1, 0.2, 0.3, 0.7], [0.4, 0.6, 0.8, 0.9])
    assert rate == 0.25
    assert 0.4 < threshold <= 0.7


def test_eer_of_inverted_scores_is_one() -> None:
    assert eer([0.9, 0.8], [0.1, 0.2])[0] == 1


def test_eer_of_a_detector_that_says_one_thing_is_a_half() -> None:
    assert eer(np.full(7, 0.5), np.full(3, 0.5))[0] == 0.5


def test_eer_of_two_gaussians_is_the_analytic_one() -> None:
    generator = np.random.default_rng(0)
    rate, threshold = eer(generator.normal(0, 1, 100_000), generator.normal(2, 1, 50_000))
    assert rate == pytest.approx(0.1587, abs=0.003)
    assert threshold == pytest.approx(1, abs=0.02)


def test_eer_is_the_same_for_any_rising_function_of_the_scores() -> None:
    generator = np.random.default_rng(1)
    bona_fide, spoof = generator.normal(0, 1, 200), generator.normal(1, 1, 300)
    assert eer(bona_fide, spoof)[0] == eer(np.exp(bona_fide), np.exp(spoof))[0]


def test_det_curve_goes_from_all_refused_to_all_accepted() -> None:
    curve = det_curve([0.1, 0.5], [0.5, 0.9])
    assert curve.thresholds.tolist() == [0.1, 0.5, 0.9, np.inf]
    assert curve.miss.tolist() == [1, 0.5, 0, 0]
    assert curve.false_alarm.tolist() == [0, 0, 0.5, 1]


def test_min_dcf_by_hand() -> None:
    # Costs weigh 0.95 and 0.5. From 0.4 on spoof: 0.95 * 1/4 / 0.5; from 0.8 on, with no real voice refused: 0.5.
    assert min_dcf([0.1, 0.2, 0.3, 0.7], [0.4, 0.6, 0.8, 0.9]) == pytest.approx(0.475)
    even = min_dcf([0.1, 0.2, 0.3, 0.7], [0.4, 0.6, 0.8, 0.9], p_target=0.5, c_miss=1, c_fa=1)
    assert even == pytest.approx(0.25)


def test_min_dcf_is_zero_for_separable_and_one_for_useless_scores() -> None:
    assert min_dcf([0, 1], [2, 3]) == 0
    assert min_dcf([1, 1], [1, 1]) == 1
    assert min_dcf([2, 3], [0, 1]) == 1


@pytest.mark.parametrize(("bona_fide", "spoof"), [([], [1.0]), ([1.0], []), ([float("nan")], [1.0])])
def test_no_or_undefined_scores_are_refused(bona_fide: list[float], spoof: list[float]) -> None:
    with pytest.raises(ValueError, match="scor"):
        eer(bona_fide, spoof)


def test_impossible_priors_are_refused() -> None:
    with pytest.raises(ValueError, match="p_target"):
        min_dcf([0.1], [0.9], p_target=1)
