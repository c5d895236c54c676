"""Large values on their way to a replica, where it can be as references into Ray's object store; needs no Ray."""

from dataclasses import dataclass
from typing import Any

Recording = Any
"""A recording as passed between stages: float32[samples] at 16 kHz, or a reference to one in Ray's object store."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedFace:
    """A prepared face on its way to whichever replica draws it.

    Attributes:
        key: Names it: equal keys, equal faces. It ends with the fingerprint of the engine that prepared the face.
        reference: Its file, or a reference to that in Ray's object store, which a replica fetches that lacks the face.
    """

    key: str
    reference: Any
