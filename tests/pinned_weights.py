"""Real weights of the named sets for the tests that need them; nothing is fetched for a test."""

import os
from pathlib import Path

import pytest

from models.weights import Weights, cached
from models.weights.cache import VARIABLE, root
from models.weights.catalogue import named_set

_GIVEN = os.environ.get(VARIABLE)


def pinned_weights(name: str) -> Path:
    """Return the folder of a set in the cache of this machine; skip the test where it is not there.

    The machine's cache is meant, the one that ``VOICEGRAPH_WEIGHTS`` named when the tests began, also for tests that
    have a cache of their own.
    """
    files = tuple(file.path for file in named_set(name).files)
    with pytest.MonkeyPatch.context() as environment:
        if _GIVEN is None:
            environment.delenv(VARIABLE, raising=False)
        else:
            environment.setenv(VARIABLE, _GIVEN)
        place, searched = cached(f"set://{name}", Weights(files=files)), root()
    if place is None:
        pytest.skip(f"set://{name} is not in {searched}: python -m models.weights pull set://{name}")
    return place
