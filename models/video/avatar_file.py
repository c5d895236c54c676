"""Reading of files uploaded as avatars."""

import hashlib
import io
import threading
from typing import BinaryIO

import numpy as np
from PIL import Image as Pillow

from models.audio.source import ByteSource
from models.errors import InputError
from models.lipsync.types import Image
from models.video.clips import read_clip
from models.video.headers import HEAD_BYTES, still_format
from models.video.stills import read_still
from models.video.types import AvatarFile, AvatarKind, AvatarLimits

_PICTURE_QUALITY = 90
_AT_ONCE = threading.BoundedSemaphore(2)  # a large picture takes some hundred megabytes while it is decoded


def read_avatar(source: BinaryIO, limits: AvatarLimits) -> AvatarFile:
    """Check an uploaded file by its content and make an avatar of it.

    Equal files give equal avatars. Two files are read at once; further callers wait.

    Args:
        source: Seekable binary file, read from its beginning: a JPEG, PNG or WebP, or a clip as MP4, MOV, WebM or MKV.
            Left open.
        limits: What is accepted.

    Raises:
        InputError: It can't be used. ``code`` is ``animated``, ``damaged``, ``empty_file``, ``no_video``,
            ``too_large``, ``too_long``, ``too_many_frames``, ``too_many_pixels``, ``too_short``, ``too_small`` or
            ``unsupported_media``.
    """
    file = ByteSource(source)
    if file.size == 0:
        raise InputError("empty_file", "The file is empty: it has 0 bytes.")
    if file.size > limits.max_bytes:
        raise InputError("too_large", f"The file has {file.size} bytes; at most {limits.max_bytes} are accepted.")
    if still_format(file.head[:HEAD_BYTES]) is None:
        with _AT_ONCE:
            clip = read_clip(file, limits)
        return _avatar("clip", clip.data, clip.first, clip.frames)
    data = file.read_at(0, file.size)
    file.raise_failure()
    with _AT_ONCE:
        image = read_still(data, limits)
    return _avatar("still", _encoded(image, "PNG", compress_level=6), image, 1)


def _avatar(kind: AvatarKind, data: bytes, first: Image, frames: int) -> AvatarFile:
    height, width = first.shape[:2]
    return AvatarFile(
        kind=kind,
        data=data,
        picture=_encoded(first, "JPEG", quality=_PICTURE_QUALITY, optimize=True),
        width=width,
        height=height,
        frames=frames,
        content_hash=hashlib.sha256(data).hexdigest(),
    )


def _encoded(image: Image, format: str, **options: int | bool) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(file, format, **options)
    return file.getvalue()
