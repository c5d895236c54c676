"""X-vectors of the speakers that SpeechT5 is to sound like."""

import hashlib
import threading
from operator import attrgetter
from pathlib import Path

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import NDArray

from models.errors import InputError
from models.speaker import SpeakerEncoder
from models.speech.types import Reference

_REMEMBERED = 32


def _digest(_speakers: object, pcm: NDArray[np.float32]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(pcm).data, digest_size=16).digest()


class Speakers:
    """Computes and keeps the x-vectors of references. Safe to call from several threads at once.

    Args:
        encoder: Embeds speech; embeddings of others are not taken.
        default: The x-vector where there is no reference.
    """

    def __init__(self, encoder: SpeakerEncoder, default: NDArray[np.float32] | None = None) -> None:
        self._encoder = encoder
        self._default = None if default is None else _normalised(default)
        self._lock = threading.Lock()
        self._embedded: LRUCache[bytes, NDArray[np.float32]] = LRUCache(_REMEMBERED)

    def embedding(self, reference: Reference | None) -> NDArray[np.float32]:
        """Return the L2-normalised x-vector of a reference, float32[D]; the embedding goes before the speech.

        Raises:
            InputError: There is no reference and no default (``reference_required``, field ``voice``), or it can't be
                used (``reference_unusable`` or ``too_short``, field ``reference``).
        """
        if reference is None:
            if self._default is None:
                raise InputError(
                    "reference_required",
                    "This voice needs a registered voice or a recording to sound like.",
                    field="voice",
                )
            return self._default
        if reference.embedding is not None and reference.encoder == self._encoder.name:
            return self._checked(reference.embedding)
        if reference.pcm is not None:
            return self._of_speech(reference.pcm)
        raise InputError(
            "reference_unusable",
            f"This voice takes a recording or an embedding of the encoder {self._encoder.name} to sound like.",
            field="reference",
        )

    def _checked(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        if embedding.shape != (self._encoder.dimension,) or not np.isfinite(embedding).all() or not embedding.any():
            raise InputError(
                "reference_unusable",
                f"The embedding of a speaker has {self._encoder.dimension} finite numbers, not all zero.",
                field="reference",
            )
        return _normalised(embedding)

    # A text comes clause by clause, each with the same speech.
    @cachedmethod(attrgetter("_embedded"), key=_digest, lock=attrgetter("_lock"))
    def _of_speech(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            embedding: NDArray[np.float32] = self._encoder.embed([pcm])[0]
        except InputError as error:
            raise InputError(error.code, error.message, field="reference") from error
        return embedding


def read_embedding(file: Path, dimension: int) -> NDArray[np.float32]:
    """Read one x-vector, shape [D] or [1, D], from a ``.npy`` or a ``.safetensors`` file.

    Raises:
        ValueError: It does not hold one x-vector of that length.
    """
    if file.suffix == ".safetensors":
        from safetensors.numpy import load_file

        arrays = list(load_file(file).values())
    else:
        arrays = [np.load(file, allow_pickle=False)]
    if len(arrays) != 1 or arrays[0].size != dimension or not np.isfinite(arrays[0]).all() or not arrays[0].any():
        raise ValueError(f"{file} must hold one x-vector of {dimension} finite numbers, not all zero")
    return np.asarray(arrays[0], dtype=np.float32).reshape(dimension)


def _normalised(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(embedding / np.linalg.norm(embedding), dtype=np.float32)
