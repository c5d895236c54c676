"""Clustering of speaker embeddings: agglomerative, then merging of centroids, in bounded memory."""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from models.diarization.counts import SpeakerCount

Vectors = NDArray[np.float32]

LARGEST_CLUSTERING = 2000
"""Points whose pairwise distances are held at once: 16 MB of them."""

MOST_GROUPS = 40
"""Groups that the merging starts from at most, the largest ones."""

ROUNDS = 3
"""Alternations of assignment and centroids after each merge."""


def group(
    embeddings: Vectors, count: SpeakerCount, *, similarity: float, merge_similarity: float, min_windows: float
) -> Vectors:
    """Find the voices among embeddings.

    Small, pure groups come first; the embeddings of short windows are too noisy to say which of them are one
    voice, but the groups' centroids are not.

    Args:
        embeddings: L2-normalised, shape [windows, D], at least one.
        count: Allowed number of voices; it overrules what follows.
        similarity: Mean cosine similarity below which windows are kept in separate groups at first.
        merge_similarity: Cosine similarity of centroids above which groups are one voice.
        min_windows: Smaller groups are no voice of their own.

    Returns:
        One L2-normalised centroid per voice, shape [voices, D]; fewer than asked for only where there are
        fewer windows.
    """
    centroids = _first_groups(embeddings, count.least, similarity, min_windows)
    while True:
        centroids, sizes = _settled(embeddings, centroids)
        if len(centroids) <= count.least:
            return centroids
        smallest = int(sizes.argmin())
        if sizes[smallest] < min_windows:
            centroids = np.delete(centroids, smallest, axis=0)
            continue
        alike, first, second = _most_alike(centroids)
        if len(centroids) <= count.most and alike <= merge_similarity:
            return centroids
        centroids[first] = _unit(centroids[first] * sizes[first] + centroids[second] * sizes[second])
        centroids = np.delete(centroids, second, axis=0)


def _first_groups(embeddings: Vectors, least: int, similarity: float, min_windows: float) -> Vectors:
    points, weights = _condensed(embeddings)
    if len(points) == 1:
        return points.copy()
    tree = linkage(pdist(points, "cosine"), "average")
    labels = fcluster(tree, 1.0 - similarity, "distance")
    groups = _large(labels, weights, min_windows) or _large(labels, weights, 0.0)
    if len(groups) < least:
        labels, groups = _cut(tree, weights, least, min_windows)
    return np.stack([_centroid(points, weights * (labels == label)) for label in groups[: max(MOST_GROUPS, least)]])


def _condensed(embeddings: Vectors) -> tuple[Vectors, NDArray[np.float64]]:
    """Return at most ``LARGEST_CLUSTERING`` points: similar neighbours in time become their centroid."""
    blocks = -(-len(embeddings) // LARGEST_CLUSTERING)
    if blocks == 1:
        return embeddings, np.ones(len(embeddings))
    points, weights = [], []
    for block in np.array_split(embeddings, blocks):
        labels = fcluster(linkage(pdist(block, "cosine"), "average"), LARGEST_CLUSTERING // blocks, "maxclust")
        for label in np.unique(labels):
            points.append(_centroid(block, np.where(labels == label, 1.0, 0.0)))
            weights.append(float((labels == label).sum()))
    return np.stack(points), np.array(weights)


def _large(labels: NDArray[np.int32], weights: NDArray[np.float64], least: float) -> list[int]:
    """Return the labels of the groups that weigh at least ``least``, the heaviest first."""
    sizes = np.bincount(labels, weights)
    return [int(label) for label in np.argsort(-sizes, kind="stable") if sizes[label] >= max(least, 1.0)]


def _cut(
    tree: NDArray[np.float64], weights: NDArray[np.float64], voices: int, least: float
) -> tuple[NDArray[np.int32], list[int]]:
    """Cut where ``voices`` groups are large: a few odd windows far from all others are no voice."""
    for enough in (least, 1.0):
        for clusters in range(voices, min(10 * voices, len(weights)) + 1):
            labels = fcluster(tree, clusters, "maxclust")
            found = _large(labels, weights, enough)
            if len(found) >= voices:
                return labels, found[:voices]
    labels = fcluster(tree, voices, "maxclust")
    return labels, _large(labels, weights, 1.0)


def _settled(embeddings: Vectors, centroids: Vectors) -> tuple[Vectors, NDArray[np.int64]]:
    """Run spherical k-means from given centroids; return the new ones and the number of windows nearest to each."""
    for _ in range(ROUNDS):
        nearest = np.eye(len(centroids), dtype=np.float32)[(embeddings @ centroids.T).argmax(axis=1)]
        totals = nearest.T @ embeddings
        # A centroid that lost all its windows stays where it was.
        centroids = _unit(np.where(nearest.any(axis=0)[:, None], totals, centroids))
    sizes = np.bincount((embeddings @ centroids.T).argmax(axis=1), minlength=len(centroids))
    return centroids, sizes


def _most_alike(centroids: Vectors) -> tuple[float, int, int]:
    similarities = centroids @ centroids.T
    np.fill_diagonal(similarities, -np.inf)
    first, second = divmod(int(similarities.argmax()), len(centroids))
    return float(similarities[first, second]), first, second


def _centroid(points: Vectors, weights: NDArray[np.float64]) -> Vectors:
    return _unit(weights.astype(np.float32) @ points)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)
