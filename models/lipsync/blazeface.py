"""Decoding of what BlazeFace says of a picture, for its short-range network of 128 by 128 pixels.

It is described in Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", arXiv
1907.05047. The network says for each of 896 anchors how sure it is of a face there, and its box and six keypoints
relative to the anchor. Anchors lie in the middles of the cells of two grids: 2 in each of 16 by 16, 6 in each of 8 by
8.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 128
"""Pixels of the network's square input."""

KEYPOINTS = 6
"""Both eyes (the one at the picture's left first), tip of the nose, mouth, both ears."""

_GRIDS = ((16, 2), (8, 6))
_LEAST_SCORE = 0.5
_LEAST_OVERLAP = 0.3

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face; units are sides of the network's input.

    Attributes:
        score: 0 to 1.
        box: float32[4]: left, top, right, bottom.
        keypoints: float32[6, 2]: x, y.
    """

    score: float
    box: Floats
    keypoints: Floats


def anchors() -> Floats:
    """Return the middles of all anchors, float32[896, 2]: x, y from 0 to 1."""
    grids = []
    for cells, each in _GRIDS:
        middles = (np.arange(cells, dtype=np.float32) + np.float32(0.5)) / np.float32(cells)
        down, across = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([across.ravel(), down.ravel()], axis=1), each, axis=0))
    return np.concatenate(grids)


_ANCHORS = anchors()


def decode(scores: Floats, regressors: Floats) -> list[Detection]:
    """Return the faces that the network sees, the surest first.

    Boxes that overlap are one face: their mean, weighted by their scores (section 3.4 of the paper).

    Args:
        scores: float32[896]: logits.
        regressors: float32[896, 16]: in pixels from the anchor, x and y of the box's middle, its width and height, and
            x and y of the six keypoints.
    """
    sure = 1.0 / (1.0 + np.exp(-np.clip(scores, -80.0, 80.0)))
    kept = np.flatnonzero(sure >= _LEAST_SCORE)
    kept = kept[np.argsort(-sure[kept], kind="stable")]
    values = regressors[kept] / np.float32(SIDE)
    middles, halves = values[:, :2] + _ANCHORS[kept], values[:, 2:4] / 2
    points = values[:, 4:].reshape(-1, KEYPOINTS, 2) + _ANCHORS[kept][:, None]
    rows = np.concatenate([middles - halves, middles + halves, points.reshape(-1, 2 * KEYPOINTS)], axis=1)
    sure = sure[kept]
    found = []
    while len(rows):
        same = _overlaps(rows[0, :4], rows[:, :4]) > _LEAST_OVERLAP
        same[0] = True
        mean = np.average(rows[same], axis=0, weights=sure[same]).astype(np.float32)
        found.append(Detection(float(sure[0]), mean[:4], mean[4:].reshape(KEYPOINTS, 2)))
        rows, sure = rows[~same], sure[~same]
    return found


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    """Return the share of the area of a box and each of others that both cover."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    own, others = np.clip(box[2:] - box[:2], 0, None).prod(), np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    shares: Floats = common / np.maximum(own + others - common, 1e-9)
    return shares
