"""Patches pasted into an avatar's frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from models.lipsync.types import Image, Patches, PreparedFace, footage_index
from models.video.colours import Converter, Planes, copy_of, planes
from models.video.footage import Footage
from models.video.label import Overlay

_GEOMETRIES_KEPT = 32  # of a face that moves; one of a still

Weights = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Opacity of an overlay, 0 to 256: of luma, and of both chroma planes at half the size."""


@dataclass(frozen=True, slots=True)
class Place:
    """Position of a patch: a rectangle of whole blocks of 2x2 pixels, since chroma has one value for each block.

    Attributes:
        box: Left, top, right, bottom of the patch.
    """

    box: tuple[int, int, int, int]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the patch."""
        left, top, right, bottom = self.box
        return right - left, bottom - top

    @property
    def border(self) -> tuple[int, int, int, int]:
        """Pixels between the patch and the rectangle's edge: top, bottom, left, right; 0 or 1."""
        left, top, right, bottom = self.box
        return top % 2, bottom % 2, left % 2, right % 2

    def of(self, frame: Planes) -> Planes:
        """Return views of the rectangle in a frame's planes."""
        left, top, right, bottom = self.box
        rows, columns = slice(top // 2, (bottom + 1) // 2), slice(left // 2, (right + 1) // 2)
        luma = frame[0][rows.start * 2 : rows.stop * 2, columns.start * 2 : columns.stop * 2]
        return luma, frame[1][rows, columns], frame[2][rows, columns]


class Compositor:
    """Draws a film: an avatar's frames with the patches of its moving parts. For one thread at a time.

    Patches are mixed in as luma and chroma, so that of every frame only the patch's rectangle is converted and written,
    and a patch that several frames of a still show is prepared once.

    Args:
        footage: Of the avatar; its frames are taken in the order of a film.
        face: Of the same avatar.
        label: Drawn over everything, at one place of every frame; None for none.

    Raises:
        ValueError: The face has boxes of another number of frames than the footage, or they are not within them.
    """

    def __init__(self, footage: Footage, face: PreparedFace, label: Overlay | None = None) -> None:
        _check(footage, face)
        self._bases = footage.film_yuv()
        self._places = [Place((left, top, right, bottom)) for left, top, right, bottom in face.boxes.tolist()]
        self._mask = _Mask(face.mask)
        self._converter = Converter()
        self._label = _Label(label, self._converter) if label is not None else None
        self._drawn = 0

    def draw(self, patches: Patches) -> Iterator[VideoFrame]:
        """Yield the film's next frames, as many as ``patches.order`` has, as yuv420p in memory of their own."""
        shown_again = np.bincount(patches.order, minlength=len(patches.images)) > 1
        kept: dict[tuple[int, tuple[int, ...]], Planes] = {}
        for index in patches.order.tolist():
            place = self._places[footage_index(self._drawn, len(self._places))]
            self._drawn += 1
            key = index, place.size + place.border
            patch = kept.get(key)
            if patch is None:
                patch = self._convert(patches.images[index], place)
                if shown_again[index]:
                    kept[key] = patch
            frame = copy_of(next(self._bases))
            whole = planes(frame)
            mix(place.of(whole), patch, self._mask.at(place))
            if self._label is not None:
                self._label.draw(whole)
            yield frame

    def _convert(self, patch: Image, place: Place) -> Planes:
        """Return a patch in the size of its place and the colours of the film."""
        width, height = place.size
        if patch.shape[:2] != (height, width):
            smaller = width < patch.shape[1]
            patch = cv2.resize(patch, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)  # type: ignore[assignment]
        if any(place.border):
            patch = cv2.copyMakeBorder(patch, *place.border, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
        return planes(self._converter.to_yuv(patch))


class _Mask:
    """A face's mask, stretched to the places that it was last needed at."""

    def __init__(self, mask: NDArray[np.uint8]) -> None:
        self._mask = mask
        self._kept: dict[tuple[int, ...], Weights] = {}

    def at(self, place: Place) -> Weights:
        """Return the weights of a patch at a place."""
        key = place.size + place.border
        if key not in self._kept:
            if len(self._kept) == _GEOMETRIES_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self._stretched(place)
        return self._kept[key]

    def _stretched(self, place: Place) -> Weights:
        mask = self._mask
        if mask.shape != place.size[::-1]:
            mask = cv2.resize(mask, place.size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        top, bottom, left, right = place.border
        return weights(np.pad(mask, ((top, bottom), (left, right))))


def mix(under: Planes, over: Planes, weights: Weights) -> None:
    """Mix one picture into another, in place, as far as its weights say."""
    luma, chroma = weights
    for target, source, weight in zip(under, over, (luma, chroma, chroma), strict=True):
        mixed = np.multiply(source, weight, dtype=np.uint16)
        mixed += np.multiply(target, 256 - weight, dtype=np.uint16)
        mixed += 128
        mixed >>= 8
        target[:] = mixed


def weights(mask: NDArray[np.uint8]) -> Weights:
    """Return the weights of a mask, uint8[height, width] of even sides, 0 to 255."""
    height, width = mask.shape
    halved = np.asarray(cv2.resize(mask, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    return np.add(mask, mask >> 7, dtype=np.uint16), np.add(halved, halved >> 7, dtype=np.uint16)


class _Label:
    """A label, converted once."""

    def __init__(self, overlay: Overlay, converter: Converter) -> None:
        height, width = overlay.alpha.shape
        self._place = Place((overlay.left, overlay.top, overlay.left + width, overlay.top + height))
        self._planes = planes(converter.to_yuv(overlay.image))
        self._weights = weights(overlay.alpha)

    def draw(self, frame: Planes) -> None:
        """Draw it over a frame."""
        mix(self._place.of(frame), self._planes, self._weights)


def _check(footage: Footage, face: PreparedFace) -> None:
    if face.boxes.shape != (footage.frames, 4):
        raise ValueError(f"a face with boxes {face.boxes.shape} in footage of {footage.frames} frames")
    lefts, tops, rights, bottoms = face.boxes.T
    inside = (lefts >= 0) & (tops >= 0) & (rights <= footage.width) & (bottoms <= footage.height)
    if not (inside & (lefts < rights) & (tops < bottoms)).all():
        raise ValueError(f"boxes of a face are not within {footage.width}x{footage.height} pixels")
