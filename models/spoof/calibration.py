"""Calibration of logits to probabilities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit


@dataclass(frozen=True)
class Calibration:
    """Logistic calibration: P(spoof) = sigmoid(scale * logit + bias).

    Args:
        scale: Above 0, so that the order of scores is kept.
        bias: Moves the logit at which P(spoof) is one half.
    """

    scale: float = 1.0
    bias: float = 0.0

    def probability(self, logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return P(spoof) of raw logits, of the same shape."""
        return np.asarray(expit(self.scale * np.asarray(logits, np.float64) + self.bias), np.float32)


def calibrate(
    logits: NDArray[np.floating], labels: NDArray[np.integer], weights: NDArray[np.floating] | None = None
) -> Calibration:
    """Fit a calibration to held-out scores, as if both classes were equally frequent (Platt, 1999).

    Args:
        logits: Raw logits, shape [N].
        labels: 1 for spoof, 0 for bona fide, shape [N]; both must occur.
        weights: How much each score counts within its class, shape [N]; left out, all the same.

    Raises:
        ValueError: One of the classes is missing.
    """
    # Detectors at work, which import this module, fit nothing: it takes a third of a second to import.
    from scipy.optimize import minimize

    logits = np.asarray(logits, np.float64)
    spoof = np.asarray(labels) == 1
    if spoof.all() or not spoof.any():
        raise ValueError("calibration needs scores of both classes")
    shares = np.ones(len(logits)) if weights is None else np.asarray(weights, np.float64)
    shares = np.where(spoof, shares / shares[spoof].sum(), shares / shares[~spoof].sum()) / 2
    # Platt's targets: as if each class had one more example, so that separable scores keep a finite slope.
    targets = np.where(spoof, (spoof.sum() + 1) / (spoof.sum() + 2), 1 / ((~spoof).sum() + 2))

    def cross_entropy(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, bias = np.exp(parameters[0]), parameters[1]
        calibrated = scale * logits + bias
        losses = np.logaddexp(0, calibrated) - targets * calibrated
        error = shares * (expit(calibrated) - targets)
        return float(shares @ losses), np.array([scale * (error @ logits), error.sum()])

    found = minimize(cross_entropy, np.zeros(2), jac=True, method="L-BFGS-B").x
    return Calibration(scale=float(np.exp(found[0])), bias=float(found[1]))
