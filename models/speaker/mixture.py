"""A Gaussian mixture with diagonal covariances: the universal background model of Reynolds et al. (2000)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELEVANCE = 4.0
"""Frames that a component must see before its mean counts for half."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A speaker-independent mixture of Gaussians over MFCC frames.

    Attributes:
        weights: Shape [components].
        means: Shape [components, coefficients].
        variances: Shape [components, coefficients].
    """

    weights: NDArray[np.float32]
    means: NDArray[np.float32]
    variances: NDArray[np.float32]

    def posteriors(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability that each component made each frame, shape [frames, components]."""
        constant = np.log(self.weights) - 0.5 * np.sum(
            np.log(2 * np.pi * self.variances) + np.square(self.means) / self.variances, axis=1
        )
        logs = frames @ (self.means / self.variances).T - np.square(frames) @ (0.5 / self.variances).T + constant
        logs -= logs.max(axis=1, keepdims=True)
        likelihoods = np.exp(logs)
        posteriors: NDArray[np.float32] = likelihoods / likelihoods.sum(axis=1, keepdims=True)
        return posteriors

    def deviation(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a voice's supervector: its deviation from each component's mean.

        The MAP-adapted means less the mixture's, in standard deviations.

        Args:
            frames: Shape [frames, coefficients].

        Returns:
            Shape [components * coefficients].
        """
        posteriors = self.posteriors(frames)
        counts = posteriors.sum(axis=0)[:, None]
        offsets = posteriors.T @ frames - counts * self.means
        deviation: NDArray[np.float32] = offsets / np.sqrt(self.variances) / (counts + RELEVANCE)
        return deviation.reshape(-1)
