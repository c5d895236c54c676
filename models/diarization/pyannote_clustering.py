"""pyannote's clustering methods, made safe for recordings with fewer embeddings than requested speakers."""

from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, BaseClustering, VBxClustering

from models.errors import MissingWeights

_FILES = ("xvec_transform.npz", "plda.npz")
_METRIC = "cosine"


class _FewerVoices(BaseClustering):
    """Limits the number of clusters to that of embeddings: k-means refuses more, and an empty cluster's mean is NaN."""

    def __call__(
        self,
        embeddings: NDArray[np.float32],
        segmentations: Any = None,
        num_clusters: int | None = None,
        min_clusters: int | None = None,
        max_clusters: int | None = None,
        **kwargs: Any,
    ) -> Any:
        usable, _, _ = self.filter_embeddings(embeddings, segmentations=segmentations)
        if not len(usable):
            chunks, speakers, dimension = embeddings.shape
            return np.zeros((chunks, speakers), np.int8), np.ones((chunks, speakers, 1)), np.zeros((1, dimension))
        counts = (
            None if count is None else min(count, len(usable)) for count in (num_clusters, min_clusters, max_clusters)
        )
        return super().__call__(embeddings, segmentations, *counts, **kwargs)


class _Vbx(_FewerVoices, VBxClustering):
    pass


class _Agglomerative(_FewerVoices, AgglomerativeClustering):
    pass


class _NoPlda(PLDA):
    """Stands in for the PLDA of pipelines without one; otherwise pyannote would download that of community-1."""

    def __init__(self) -> None:
        pass


def clustering_of(kind: Literal["VBxClustering", "AgglomerativeClustering"], plda: PLDA) -> BaseClustering:
    """Make a clustering; its hyper-parameters are still to be set."""
    return _Vbx(plda, metric=_METRIC) if kind == "VBxClustering" else _Agglomerative(metric=_METRIC)


def no_plda() -> PLDA:
    """Return what stands for a PLDA that is never used."""
    return _NoPlda()


def plda_of(folder: Path, dimension: int) -> PLDA:
    """Read the PLDA (probabilistic linear discriminant analysis) of a pipeline.

    Args:
        folder: With ``xvec_transform.npz`` and ``plda.npz``.
        dimension: Of the embeddings that it is for.

    Raises:
        MissingWeights: A file is missing.
        ValueError: One is damaged, or the PLDA is for other embeddings.
    """
    for name in _FILES:
        if not (folder / name).is_file():
            raise MissingWeights(f"{folder} has no {name}; fetch the whole model again")
    try:
        transform, plda_file = (folder / name for name in _FILES)
        plda = PLDA(transform, plda_file)
        plda(np.ones((1, dimension)))
    except (BadZipFile, EOFError, KeyError, ValueError, np.linalg.LinAlgError) as error:
        raise ValueError(f"{folder} holds no PLDA of embeddings of {dimension} numbers: {error}") from error
    return plda
