"""Points of the face mesh by their numbers, as MediaPipe's canonical face model has them.

Left and right are the picture's, of a face that looks ahead.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

LEFT_EYE = (33, 133)
RIGHT_EYE = (362, 263)
"""Corners of the eyes, from left to right."""

MOUTH_CORNERS = (61, 291)
UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Inner edges of the lips, from left to right: where they touch if the mouth is shut."""

CHIN = 152


def eyes_of(points: Points) -> Points:
    """Return the middles of a mesh's eyes, float64[2, 2], the left one of the picture first."""
    return np.stack([points[list(LEFT_EYE)].mean(axis=0), points[list(RIGHT_EYE)].mean(axis=0)])
