"""Protocol, inputs and results of lip-sync."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 25
"""Of every film."""

CONTEXT_BEFORE_S = 1.0
CONTEXT_AFTER_S = 0.3
"""Speech that an engine is shown before the first and after the last frame of a shot, where the film has it."""

Image = NDArray[np.uint8]
"""uint8[height, width, 3], BGR."""

_FACES, _BOXES, _MASK, _OWN = "faces", "boxes", "mask", "own."


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class PreparedFace:
    """An avatar as an engine prepared it: everything that depends on the face alone.

    Attributes:
        boxes: int32[frames, 4]: left, top, right, bottom of the place of the engine's patches in each of the avatar's
            frames, in pixels, right and bottom exclusive, all within the frame.
        mask: uint8[height, width]: how much of a patch is seen, 0 to 255; stretched to the box as the patch is.
        faces: How many faces were seen; the largest is the one that speaks.
        arrays: The engine's own, by name.
    """

    boxes: NDArray[np.int32]
    mask: NDArray[np.uint8]
    faces: int
    arrays: Mapping[str, NDArray[np.generic]]

    def to_bytes(self) -> bytes:
        """Serialise it for ``from_bytes``."""
        file = io.BytesIO()
        own: dict[str, Any] = {_OWN + name: array for name, array in self.arrays.items()}
        np.savez(
            file, allow_pickle=False, **{_FACES: np.int64(self.faces), _BOXES: self.boxes, _MASK: self.mask, **own}
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PreparedFace":
        """Read what ``to_bytes`` wrote.

        Raises:
            ValueError: It is not such a file.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name.removeprefix(_OWN): file[name] for name in file.files if name.startswith(_OWN)}
                return cls(file[_BOXES], file[_MASK], int(file[_FACES]), arrays)
        except Exception as error:
            # What a damaged archive raises depends on where it is damaged.
            raise ValueError(f"not a prepared face: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """Consecutive frames of a film, and the speech that is heard around them.

    Attributes:
        pcm: Mono float32 at 16 kHz, shape [samples]: from ``CONTEXT_BEFORE_S`` before the first frame, or from the
            film's beginning, to ``CONTEXT_AFTER_S`` after the last, or to the film's end.
        offset: Which sample of the film ``pcm[0]`` is.
        last: Whether the film's sound ends with ``pcm``.
        first: Number of the first frame in the film; frame i is seen from i / 25 s on.
        count: How many frames.
        loudness: Level of the film's loud speech in dBFS (RMS), as far as it is known: what counts as a full voice.
    """

    pcm: NDArray[np.float32]
    offset: int
    last: bool
    first: int
    count: int
    loudness: float = -20.0


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """The moving parts of a shot's frames.

    Attributes:
        images: uint8[n, height, width, 3], BGR: n different patches.
        order: int32[count]: which of them each frame shows.
    """

    images: NDArray[np.uint8]
    order: NDArray[np.int32]


def footage_index(frame: int, frames: int) -> int:
    """Return which of an avatar's frames a film's frame shows: forward, backward, and so on, without a jump."""
    if frames == 1:
        return 0
    position = frame % (2 * frames - 2)
    return min(position, 2 * frames - 2 - position)


class LipsyncEngine(Protocol):
    """Makes a face speak. Safe to call from several threads at once."""

    @property
    def fingerprint(self) -> str:
        """Identifier of all that a prepared face depends on besides the avatar; up to 64 of [a-z0-9-]."""
        ...

    @property
    def device(self) -> str:
        """Device that the engine computes on: ``cpu`` or ``cuda``."""
        ...

    def prepare(self, frames: Iterable[Image]) -> PreparedFace:
        """Find the face in an avatar and do all that can be done without speech.

        Args:
            frames: The avatar's, one of a still, up to some hundred of a clip, all of one size.

        Raises:
            InputError: There is no face (code ``no_face``), or it is too small (``face_too_small``), or it is not there
                all the time (``no_face``, the message says when).
        """
        ...

    def animate(self, shots: Sequence[tuple[PreparedFace, Shot]]) -> list[Patches]:
        """Draw shots, of one film or of several, in one batch.

        Args:
            shots: Each with the face that it shows, as this engine prepared it.

        Returns:
            As many, in order. A frame depends on its face, its number and the speech around it alone: however a film is
            cut into shots, its frames are the same.
        """
        ...
