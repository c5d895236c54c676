"""Mouth warp: makes any portrait speak by moving its own lips and jaw, with OpenCV alone."""

import itertools
import threading
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np
from cachetools import LRUCache, cachedmethod

from models.errors import InputError
from models.lipsync.blinks import CLOSINGS, eyes_closed
from models.lipsync.eye_lids import find_eyes
from models.lipsync.eye_painter import LidPatch, draw_lid
from models.lipsync.found_face import FaceFinder, frame_of
from models.lipsync.mouth_line import find_mouth, guide_of_mesh
from models.lipsync.mouth_painter import MouthPainter
from models.lipsync.mouth_track import mouth_track
from models.lipsync.mouth_warp_boxes import face_box, soft_mask
from models.lipsync.mouth_warp_clip import prepare_clip
from models.lipsync.mouth_warp_face import FacePlace, WarpFace, still_arrays
from models.lipsync.settings import FACE_MESH, HaarFacesSettings, MeshFacesSettings, MouthWarpSettings
from models.lipsync.types import Image, Patches, PreparedFace, Shot, footage_index
from models.weights import resolve

_VERSION = 1
_OPENINGS, _WIDTHS = 24, 4
_MOUTHS_BYTES, _LIDS_BYTES = 192 * 1024 * 1024, 24 * 1024 * 1024
"""Bounds of the drawings that are kept."""
MIN_EYE_DISTANCE = 24.0
"""Pixels from eye to eye that a face must have."""

_State = tuple[int, int]
_Look = tuple[int, int, int, int]


def _of_face(_engine: object, face: WarpFace, *state: Hashable) -> Hashable:
    """Return the cache key of a still face's drawing."""
    return face.key, *state


def _finder(settings: HaarFacesSettings | MeshFacesSettings) -> FaceFinder:
    if isinstance(settings, MeshFacesSettings):
        from models.lipsync.mesh_faces import MeshFaceFinder

        return MeshFaceFinder(resolve(settings.weights, FACE_MESH, allow_download=settings.allow_download))
    from models.lipsync.haar_faces import HaarFaceFinder

    return HaarFaceFinder()


class MouthWarpEngine:
    """Opens the mouth of a portrait with the speech, and blinks its eyes. Safe to call from several threads at once.

    Args:
        settings: See ``MouthWarpSettings``.

    Raises:
        MissingWeights: The networks that find faces are not there.
        ValueError: They are not what they should be.
    """

    def __init__(self, settings: MouthWarpSettings) -> None:
        self._settings = settings
        self._finder = _finder(settings.faces)
        self._lock = threading.Lock()
        self._mouths: LRUCache[Hashable, Image] = LRUCache(_MOUTHS_BYTES, lambda image: image.nbytes)
        self._lids: LRUCache[Hashable, tuple[LidPatch, ...]] = LRUCache(
            _LIDS_BYTES, lambda lids: sum(lid.pixels.nbytes + lid.drawn.nbytes for lid in lids)
        )

    @property
    def fingerprint(self) -> str:
        """Name of the engine, version of its prepared faces, and what found them."""
        found_by = "" if self._settings.faces.detector == "haar" else f"-{self._settings.faces.detector}"
        return f"mouth-warp-{_VERSION}{found_by}"

    @property
    def device(self) -> str:
        """Device that the engine computes on: always ``cpu``."""
        return "cpu"

    def prepare(self, frames: Iterable[Image]) -> PreparedFace:
        """Find the face, its mouth and its eyes; see ``LipsyncEngine.prepare``."""
        several = iter(frames)
        first, second = next(several, None), next(several, None)
        if first is None:
            raise ValueError("an avatar has at least one frame")
        if second is None:
            return self._still(first)
        return prepare_clip(itertools.chain((first, second), several), self._finder, MIN_EYE_DISTANCE)

    def animate(self, shots: Sequence[tuple[PreparedFace, Shot]]) -> list[Patches]:
        """Draw shots; see ``LipsyncEngine.animate``."""
        return [self._animate(face, shot) for face, shot in shots]

    def _still(self, image: Image) -> PreparedFace:
        faces = self._finder.find(image)
        frame = frame_of(faces[0], MIN_EYE_DISTANCE) if faces else None
        if frame is None:
            raise InputError(
                "no_face", "No face was found; the picture must show one from the front, eyes and mouth free."
            )
        guide = None if faces[0].mesh is None else guide_of_mesh(faces[0].mesh, frame)
        place = FacePlace(frame, find_mouth(image, frame, guide))
        height, width = image.shape[:2]
        box = face_box(place, width, height, eyes=True)
        left, top, right, bottom = box
        inside = FacePlace(replace(frame, x=frame.x - left, y=frame.y - top), place.mouth)
        arrays = still_arrays(image[top:bottom, left:right], inside, find_eyes(image, frame))
        mask = soft_mask(box, width, height)
        return PreparedFace(np.array([box], np.int32), mask, len(faces), arrays)

    def _animate(self, face: PreparedFace, shot: Shot) -> Patches:
        warp = WarpFace.from_arrays(face.arrays)
        track = mouth_track(shot)
        openings = np.round(track.opening * _OPENINGS).astype(int)
        widths = np.round(track.width * _WIDTHS).astype(int)
        looks: list[_Look] = []
        for number, opening, width in zip(itertools.count(shot.first), openings, widths):
            closed = eyes_closed(number, warp.key, self._settings.blinks_per_minute) if warp.eyes else 0
            looks.append((footage_index(number, len(warp.places)), int(opening), int(width), closed))
        unique = {look: index for index, look in enumerate(dict.fromkeys(looks))}
        images = np.stack([self._draw(warp, look) for look in unique])
        return Patches(images, np.array([unique[look] for look in looks], np.int32))

    def _draw(self, face: WarpFace, look: _Look) -> Image:
        index, opening, width, closed = look
        if len(face.places) > 1:
            return self._mouth(face, index, (opening, width), self._settings.opening)
        mouth = self._still_mouth(face, (opening, width), self._settings.opening)
        if not closed:
            return mouth
        drawn = mouth.copy()
        for lid in self._closed_lids(face, closed):
            lid.paste(drawn)
        return drawn

    @cachedmethod(attrgetter("_mouths"), key=_of_face, lock=attrgetter("_lock"))
    def _still_mouth(self, face: WarpFace, state: _State, scale: float) -> Image:
        return self._mouth(face, 0, state, scale)

    def _mouth(self, face: WarpFace, index: int, state: _State, scale: float) -> Image:
        """Return a picture of the face with its mouth in a state."""
        picture, place = face.picture(index), face.places[index]
        if state == (0, 0):
            return picture
        opening = state[0] / _OPENINGS * scale
        return MouthPainter(picture, place.frame, place.mouth).draw(opening, state[1] / _WIDTHS)

    @cachedmethod(attrgetter("_lids"), key=_of_face, lock=attrgetter("_lock"))
    def _closed_lids(self, face: WarpFace, closed: int) -> tuple[LidPatch, ...]:
        picture, place = face.picture(0), face.places[0]
        return tuple(draw_lid(picture, place.frame, eye, CLOSINGS[closed]) for eye in face.eyes)
