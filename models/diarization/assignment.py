"""Assignment of steps of speech to voices: a Viterbi search over similarities, with a cost for each change."""

import numpy as np
from numpy.typing import NDArray

from models.diarization.windows import Timeline

ROUNDS = 3
"""Alternations of assignment and centroids; later ones change next to nothing."""


def assign(
    times: Timeline,
    embeddings: NDArray[np.float32],
    centroids: NDArray[np.float32],
    *,
    change_cost: float,
    pause_cost: float,
) -> NDArray[np.int64]:
    """Find the most plausible sequence of speakers.

    Args:
        times: Steps and windows.
        embeddings: L2-normalised, one per window, shape [windows, D].
        centroids: L2-normalised, one per voice, shape [voices, D].
        change_cost: Cost of a change within running speech, in similarity times steps.
        pause_cost: Cost of a change at a pause.

    Returns:
        Index of the voice of each step, shape [steps].
    """
    costs = np.where(times.after_pause, pause_cost, change_cost)
    for _ in range(ROUNDS):
        path = _viterbi(_step_scores(times, embeddings @ centroids.T), costs)
        centroids = _recomputed(times, embeddings, centroids, path)
    return path


def _step_scores(times: Timeline, similarities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each step's mean similarity over its windows, those centred on it counting most; [steps, voices]."""
    total = np.zeros((len(times.starts), similarities.shape[1]))
    weight = np.zeros((len(times.starts), 1))
    for window, row in zip(times.windows, similarities, strict=True):
        here = slice(window.first_step, window.last_step)
        triangle = np.bartlett(window.last_step - window.first_step + 2)[1:-1, None]
        total[here] += triangle * row
        weight[here] += triangle
    return total / weight


def _viterbi(scores: NDArray[np.float64], costs: NDArray[np.float64]) -> NDArray[np.int64]:
    steps, voices = scores.shape
    came_from = np.empty((steps, voices), dtype=np.int64)
    stay = np.arange(voices)
    best = scores[0].copy()
    for step in range(1, steps):
        leader = int(best.argmax())
        change = best[leader] - costs[step]
        came_from[step] = np.where(best >= change, stay, leader)
        best = np.maximum(best, change) + scores[step]
    path = np.empty(steps, dtype=np.int64)
    path[-1] = best.argmax()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = came_from[step, path[step]]
    return path


def _recomputed(
    times: Timeline, embeddings: NDArray[np.float32], centroids: NDArray[np.float32], path: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the centroids of the windows, each weighted by its steps; a voice without steps keeps its own."""
    shares = np.stack([np.bincount(path[w.first_step : w.last_step], minlength=len(centroids)) for w in times.windows])
    # A window over a change of speaker is like neither voice: only clear ones shape a centroid.
    clear = shares / shares.sum(axis=1, keepdims=True) > 0.75
    totals = clear.T.astype(np.float32) @ embeddings
    norms = np.linalg.norm(totals, axis=1, keepdims=True)
    return np.where(norms > 0, totals / np.maximum(norms, 1e-9), centroids).astype(np.float32)
