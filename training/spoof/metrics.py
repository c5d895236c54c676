"""Detection metrics of the ASVspoof challenges (Wang et al., 2024, https://arxiv.org/abs/2408.08739).

A higher score means more probably spoof. The target class is bona fide speech, as in the challenges: a *miss* is bona
fide speech taken for spoof, a *false alarm* is spoof taken for bona fide. Where ASVspoof's scores point the other
way, negate them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class DetCurve:
    """Detection error trade-off over every threshold that changes a decision; speech is spoof from a threshold on.

    Args:
        miss: Share of bona fide speech taken for spoof, falling from 1 to 0, float64[T].
        false_alarm: Share of spoof taken for bona fide, rising from 0 to 1, float64[T].
        thresholds: The distinct scores in ascending order, and infinity, float64[T].
    """

    miss: NDArray[np.float64]
    false_alarm: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def det_curve(bona_fide_scores: ArrayLike, spoof_scores: ArrayLike) -> DetCurve:
    """Compute both error rates at each threshold; equal scores are always decided alike.

    Raises:
        ValueError: A class has no scores, or a score is not finite.
    """
    bona_fide, spoof = _sorted(bona_fide_scores, "bona fide"), _sorted(spoof_scores, "spoof")
    thresholds = np.append(np.unique(np.concatenate((bona_fide, spoof))), np.inf)
    miss = 1 - np.searchsorted(bona_fide, thresholds) / len(bona_fide)
    false_alarm = np.searchsorted(spoof, thresholds) / len(spoof)
    return DetCurve(miss, false_alarm, thresholds)


def eer(bona_fide_scores: ArrayLike, spoof_scores: ArrayLike) -> tuple[float, float]:
    """Return the equal error rate, 0 to 1, and its threshold.

    The rate is the mean of both error rates where they are closest, as in the challenges' own scoring.

    Raises:
        ValueError: A class has no scores, or a score is not finite.
    """
    curve = det_curve(bona_fide_scores, spoof_scores)
    at = int(np.argmin(np.abs(curve.miss - curve.false_alarm)))
    return float(curve.miss[at] + curve.false_alarm[at]) / 2, float(curve.thresholds[at])


def min_dcf(
    bona_fide_scores: ArrayLike,
    spoof_scores: ArrayLike,
    p_target: float = 0.95,
    c_miss: float = 1.0,
    c_fa: float = 10.0,
) -> float:
    """Return the least normalised detection cost over all thresholds; the defaults are ASVspoof 5's.

    Args:
        bona_fide_scores: Scores of bona fide speech; higher is more spoof.
        spoof_scores: Scores of spoof.
        p_target: Prior probability of bona fide speech.
        c_miss: Cost of bona fide speech taken for spoof.
        c_fa: Cost of spoof taken for bona fide speech.

    Returns:
        The cost in units of the better of two blind answers (all spoof, all bona fide): 0 to 1.

    Raises:
        ValueError: A class has no scores, a score is not finite, or prior and costs make no trade-off.
    """
    if not (0 < p_target < 1 and c_miss > 0 and c_fa > 0):
        raise ValueError("p_target must lie between 0 and 1, c_miss and c_fa above 0")
    curve = det_curve(bona_fide_scores, spoof_scores)
    miss_weight, false_alarm_weight = c_miss * p_target, c_fa * (1 - p_target)
    cost = miss_weight * curve.miss + false_alarm_weight * curve.false_alarm
    return float(cost.min() / min(miss_weight, false_alarm_weight))


def _sorted(scores: ArrayLike, kind: str) -> NDArray[np.float64]:
    values = np.sort(np.asarray(scores, np.float64), axis=None)
    if not len(values):
        raise ValueError(f"there are no scores of {kind} speech")
    if not np.isfinite(values).all():
        raise ValueError(f"a score of {kind} speech is not finite")
    return values
