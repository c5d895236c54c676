"""Prepared faces as files in the object store: where they lie, and whether one is whole."""

from models.lipsync import PreparedFace


def faces_folder(avatar_folder: str) -> str:
    """Return the folder of an avatar's prepared faces, one for each engine that it was prepared for."""
    return f"{avatar_folder}faces/"


def face_key(avatar_folder: str, fingerprint: str) -> str:
    """Return the key of an avatar's face as the engine of that fingerprint prepared it."""
    return f"{faces_folder(avatar_folder)}{fingerprint}.npz"


def read_face(packed: bytes, *, width: int, height: int, frames: int) -> PreparedFace:
    """Read the prepared face of an avatar of that size.

    Raises:
        ValueError: The file is damaged, or of another avatar.
    """
    face = PreparedFace.from_bytes(packed)
    if face.boxes.shape != (frames, 4) or face.mask.ndim != 2 or face.faces < 1:
        raise ValueError(f"not a face in each of {frames} frames")
    left, top, right, bottom = face.boxes.T
    inside = (left >= 0) & (left < right) & (right <= width) & (top >= 0) & (top < bottom) & (bottom <= height)
    if not inside.all():
        raise ValueError("the face is not within the frames")
    return face


def memory_of(face: PreparedFace) -> int:
    """Return how many bytes a prepared face takes in memory."""
    return face.boxes.nbytes + face.mask.nbytes + sum(array.nbytes for array in face.arrays.values())
