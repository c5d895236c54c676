"""Prepared faces of the mouth warp: pictures, and the positions of mouth and eyes in them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lipsync.eye_lids import Eye
from models.lipsync.face_frame import FaceFrame
from models.lipsync.mouth_line import COLUMNS, Mouth
from models.lipsync.types import Image

_QUALITY = 95
_PLACE_FIELDS = len(fields(FaceFrame)) + 4 + COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class FacePlace:
    """Position of a face and of its mouth in one of its pictures."""

    frame: FaceFrame
    mouth: Mouth

    def to_row(self) -> NDArray[np.float32]:
        """Return it as float32[_PLACE_FIELDS]."""
        mouth = self.mouth
        head = [*astuple(self.frame), mouth.left, mouth.right, mouth.chin, float(mouth.teeth)]
        return np.concatenate([head, mouth.line]).astype(np.float32)

    @classmethod
    def from_row(cls, row: NDArray[np.float32]) -> "FacePlace":
        """Read what ``to_row`` made."""
        x, y, cosine, sine, left, right, chin, teeth = (float(value) for value in row[:-COLUMNS])
        return cls(FaceFrame(x, y, cosine, sine), Mouth(left, right, row[-COLUMNS:], chin, bool(teeth)))


@dataclass(frozen=True, slots=True, eq=False)
class WarpFace:
    """A prepared face: its pictures, and the positions of face, mouth and eyes in them.

    Attributes:
        key: Of its content: equal keys, equal faces.
        places: Of each of the pictures.
        eyes: Both, or none where they do not blink.
    """

    key: bytes
    places: tuple[FacePlace, ...]
    eyes: tuple[Eye, ...]
    _pictures: NDArray[np.uint8]
    _ends: NDArray[np.int64]

    def picture(self, index: int) -> Image:
        """Return the moving part of one of the avatar's frames."""
        if not len(self._ends):
            return self._pictures
        data = self._pictures[self._ends[index - 1] if index else 0 : self._ends[index]]
        decoded = cv2.imdecode(np.ascontiguousarray(data), cv2.IMREAD_COLOR)
        if decoded is None:
            raise ValueError("a picture of a prepared face is damaged")
        return decoded.astype(np.uint8, copy=False)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "WarpFace":
        """Read what ``warp_arrays`` made.

        Raises:
            ValueError: Another engine made it.
        """
        try:
            places, eyes = np.asarray(arrays["places"], np.float32), np.asarray(arrays["eyes"], np.float32)
            pictures, ends = np.asarray(arrays["pictures"], np.uint8), np.asarray(arrays["ends"], np.int64)
            key = np.asarray(arrays["key"], np.uint8).tobytes()
        except KeyError as error:
            raise ValueError(f"not a face of the mouth warp: {error} is missing") from error
        if places.ndim != 2 or places.shape[1] != _PLACE_FIELDS:
            raise ValueError("not a face of this mouth warp: its places are of another form")
        return cls(
            key,
            tuple(FacePlace.from_row(row) for row in places),
            tuple(Eye(*(float(value) for value in row)) for row in eyes),
            pictures,
            ends,
        )


def still_arrays(picture: Image, place: FacePlace, eyes: Sequence[Eye]) -> dict[str, NDArray[np.generic]]:
    """Return the face of a still as arrays."""
    return _arrays(np.ascontiguousarray(picture), np.zeros(0, np.int64), [place], eyes)


def clip_arrays(pictures: Sequence[bytes], places: Sequence[FacePlace]) -> dict[str, NDArray[np.generic]]:
    """Return the face of a clip as arrays; the pictures are files of ``packed_picture``."""
    joined = np.frombuffer(b"".join(pictures), np.uint8)
    return _arrays(joined, np.cumsum([len(picture) for picture in pictures], dtype=np.int64), places, ())


def packed_picture(picture: Image) -> bytes:
    """Return a picture as a small file."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()


def _arrays(
    pictures: NDArray[np.uint8], ends: NDArray[np.int64], places: Sequence[FacePlace], eyes: Sequence[Eye]
) -> dict[str, NDArray[np.generic]]:
    rows = np.stack([place.to_row() for place in places])
    lids = np.array([astuple(eye) for eye in eyes], np.float32).reshape(-1, len(fields(Eye)))
    hashed = hashlib.blake2b(digest_size=16)
    for array in (pictures, ends, rows, lids):
        hashed.update(repr(array.shape).encode() + array.tobytes())
    key = np.frombuffer(hashed.digest(), np.uint8)
    return {"key": key, "places": rows, "eyes": lids, "pictures": pictures, "ends": ends}
