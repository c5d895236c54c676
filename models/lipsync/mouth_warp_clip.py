"""Preparation of a clip's face for the mouth warp."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.lipsync.face_frame import FaceFrame
from models.lipsync.face_track import FaceTracker
from models.lipsync.found_face import FaceFinder, FoundFace
from models.lipsync.mouth_line import Mouth, find_mouth, guide_of_mesh
from models.lipsync.mouth_warp_boxes import Box, face_box, feathered
from models.lipsync.mouth_warp_face import FacePlace, clip_arrays, packed_picture
from models.lipsync.types import Image, PreparedFace

_MOUTH_EVERY = 3
_MOUTH_SPREAD = 2.5
_MAX_SIDE = 640
_KEPT_QUALITY = 97
# In sizes of the box that a face is found in: what is kept of a frame until the face's whole way is known.
_KEPT_ASIDE, _KEPT_UP, _KEPT_DOWN = 1.0, 0.8, 1.25


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The surroundings of the face in one frame, packed."""

    left: int
    top: int
    packed: bytes

    def image(self) -> Image:
        unpacked = cv2.imdecode(np.frombuffer(self.packed, np.uint8), cv2.IMREAD_COLOR)
        assert unpacked is not None
        return unpacked.astype(np.uint8, copy=False)


def prepare_clip(frames: Iterable[Image], finder: FaceFinder, least: float) -> PreparedFace:
    """Follow a clip's face and keep its mouth's surroundings of every frame.

    Args:
        frames: The clip's, streamed: only the face's surroundings are kept, packed.
        finder: Looks for the face.
        least: Pixels from eye to eye that it must have.

    Raises:
        InputError: There is no face (``no_face``), it is too small (``face_too_small``), or it is lost (``no_face``).
    """
    tracker = FaceTracker(finder, least)
    kept: list[_Kept] = []
    width = height = 0
    for image in frames:
        height, width = image.shape[:2]
        kept.append(_keep(image, tracker.add(image)))
    track = tracker.finish()
    places = _places(kept, track.frames, finder)
    boxes = _boxes(places, width, height)
    side = max(boxes[0][2] - boxes[0][0], boxes[0][3] - boxes[0][1])
    scale = min(1.0, _MAX_SIDE / side)
    pictures = [packed_picture(_cut(piece, box, scale)) for piece, box in zip(kept, boxes, strict=True)]
    inside = [_inside(place, box, scale) for place, box in zip(places, boxes, strict=True)]
    size = [max(2, round((boxes[0][2 + axis] - boxes[0][axis]) * scale)) for axis in (0, 1)]
    mask = feathered(size[0], size[1], (True, True, True, True))
    return PreparedFace(np.array(boxes, np.int32), mask, track.faces, clip_arrays(pictures, inside))


def _keep(image: Image, face: FoundFace | None) -> _Kept:
    left, top, right, bottom = 0, 0, image.shape[1], image.shape[0]
    if face is not None:
        (x, y), size = face.centre, face.size
        left, top = max(left, int(x - _KEPT_ASIDE * size)), max(top, int(y - _KEPT_UP * size))
        right, bottom = min(right, int(x + _KEPT_ASIDE * size)), min(bottom, int(y + _KEPT_DOWN * size))
    _, data = cv2.imencode(".jpg", image[top:bottom, left:right], [cv2.IMWRITE_JPEG_QUALITY, _KEPT_QUALITY])
    return _Kept(left, top, data.tobytes())


def _places(kept: Sequence[_Kept], frames: Sequence[FaceFrame], finder: FaceFinder) -> list[FacePlace]:
    """Return where the face and its mouth are: the mouth looked for in every few frames, and evened out over time."""
    numbers = np.arange(0, len(kept), _MOUTH_EVERY)
    mouths = [_mouth(kept[number], frames[number], finder) for number in range(0, len(kept), _MOUTH_EVERY)]
    teeth = sum(mouth.teeth for mouth in mouths) * 2 > len(mouths)
    alike = [index for index, mouth in enumerate(mouths) if mouth.teeth == teeth]
    numbers = numbers[alike]
    rows = np.stack([np.concatenate([[m.left, m.right, m.chin], m.line]) for m in (mouths[index] for index in alike)])
    # The mouth may move in the clip; its width and the chin are the face's.
    rows[:, :3] = np.median(rows[:, :3], axis=0)
    places = []
    for number, frame in enumerate(frames):
        weight = np.exp(-0.5 * ((numbers - number) / _MOUTH_SPREAD) ** 2) + 1e-9
        row = np.tensordot(weight / weight.sum(), rows, axes=1)
        mouth = Mouth(float(row[0]), float(row[1]), row[3:].astype(np.float32), float(row[2]), teeth)
        places.append(FacePlace(frame, mouth))
    return places


def _mouth(piece: _Kept, frame: FaceFrame, finder: FaceFinder) -> Mouth:
    image, inside = piece.image(), replace(frame, x=frame.x - piece.left, y=frame.y - piece.top)
    faces = finder.find(image, FoundFace.of_frame(inside)) if finder.meshes else []
    mesh = faces[0].mesh if faces else None
    return find_mouth(image, inside, None if mesh is None else guide_of_mesh(mesh, inside))


def _boxes(places: Sequence[FacePlace], width: int, height: int) -> list[Box]:
    """Return the boxes of all frames, of one size, within the frame."""
    found = np.array([face_box(place, width, height, eyes=False) for place in places])
    across = min(width, int((found[:, 2] - found[:, 0]).max()))
    down = min(height, int((found[:, 3] - found[:, 1]).max()))
    left = np.clip((found[:, 0] + found[:, 2] - across) // 4 * 2, 0, width - across)
    top = np.clip((found[:, 1] + found[:, 3] - down) // 4 * 2, 0, height - down)
    return [(int(x), int(y), int(x) + across, int(y) + down) for x, y in zip(left, top, strict=True)]


def _cut(piece: _Kept, box: Box, scale: float) -> Image:
    """Return the part of a frame that lies in a box, made smaller by a factor."""
    image = piece.image()
    columns = np.clip(np.arange(box[0], box[2]) - piece.left, 0, image.shape[1] - 1)
    rows = np.clip(np.arange(box[1], box[3]) - piece.top, 0, image.shape[0] - 1)
    part = np.ascontiguousarray(image[rows][:, columns])
    if scale == 1.0:
        return part
    size = (max(2, round(part.shape[1] * scale)), max(2, round(part.shape[0] * scale)))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def _inside(place: FacePlace, box: Box, scale: float) -> FacePlace:
    frame = place.frame
    moved = FaceFrame((frame.x - box[0]) * scale, (frame.y - box[1]) * scale, frame.cosine * scale, frame.sine * scale)
    return FacePlace(moved, place.mouth)
