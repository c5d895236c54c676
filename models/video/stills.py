"""Pictures that are uploaded as avatars."""

import io

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from models.errors import InputError
from models.lipsync.types import Image
from models.video.headers import HEAD_BYTES, jpeg_scans, still_format, webp_size
from models.video.sizes import check_pixels, kept_size
from models.video.types import AvatarLimits

BACKGROUND = (200, 200, 200)
"""Colour behind the transparent parts of a picture."""

_MAX_JPEG_SCANS = 100  # each costs a pass over the whole picture; cameras and browsers write up to 10
_MAX_PROFILE_BYTES = 4 * 1024 * 1024
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


def read_still(data: bytes, limits: AvatarLimits) -> Image:
    """Decode a picture: upright, in sRGB, without transparency, made smaller where its longer side is over the limit.

    Args:
        data: A JPEG, PNG or WebP. The size that its header tells is checked before anything is decoded.
        limits: What is accepted.

    Returns:
        BGR, of even sides.

    Raises:
        InputError: It can't be used; ``code`` is ``animated``, ``damaged``, ``too_many_pixels``, ``too_small`` or
            ``unsupported_media``.
    """
    try:
        with _open(data, limits) as picture:
            return _decode(picture, limits)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow's parsers raise whatever the damage made them stumble over
        raise InputError("damaged", f"The picture is incomplete or damaged: {error}.") from error


def _open(data: bytes, limits: AvatarLimits) -> ImageFile:
    """Read a picture's header.

    The formats' own classes are used, not Pillow's search for one, which warns of what is refused here.
    """
    file = io.BytesIO(data)
    picture: ImageFile
    match still_format(data[:HEAD_BYTES]):
        case "JPEG":
            if jpeg_scans(data, _MAX_JPEG_SCANS) > _MAX_JPEG_SCANS:
                raise InputError("unsupported_media", f"The JPEG has more than {_MAX_JPEG_SCANS} scans.")
            picture = JpegImageFile(file)
        case "PNG":
            picture = PngImageFile(file)
        case "WebP":
            # Its decoder makes room for the whole picture when it is created.
            if (size := webp_size(data[:HEAD_BYTES])) is None:
                raise InputError("damaged", "The picture begins as a WebP does, but its header is damaged.")
            check_pixels(*size, limits.max_pixels)
            picture = WebPImageFile(file)
        case None:
            raise InputError("unsupported_media", "The file is no JPEG, PNG or WebP.")
    check_pixels(*picture.size, limits.max_pixels)
    if getattr(picture, "n_frames", 1) > 1:
        raise InputError(
            "animated",
            "The picture is animated. Send a still picture, or the motion as a clip: MP4, MOV, WebM or MKV.",
        )
    return picture


def _decode(picture: ImageFile, limits: AvatarLimits) -> Image:
    size = picture.size
    kept = kept_size(*size, limits)
    # A JPEG can be decoded at a half, a quarter or an eighth of its size, in as much less memory and time.
    picture.draft(None, (2 * limits.max_side, 2 * limits.max_side))
    picture.load()
    turn = _UPRIGHT.get(_orientation(picture))
    bounded = _eight_bits(picture)
    if max(size) > limits.max_side:
        bounded = bounded.resize(kept, Pillow.Resampling.LANCZOS, reducing_gap=3.0)
    flat = _flat(_in_srgb(bounded, picture.info.get("icc_profile")))
    rgb = np.asarray(flat if turn is None else flat.transpose(turn))
    height, width = (side - side % 2 for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[:height, :width, ::-1])


def _orientation(picture: ImageFile) -> int:
    """Return how the camera was held; upright where the metadata are not to be understood."""
    try:
        return int(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:
        return 1


def _eight_bits(picture: Pillow.Image) -> Pillow.Image:
    """Return a picture in a mode that can be scaled and has a colour profile: L, RGB, RGBA or CMYK."""
    if picture.mode.startswith("I"):
        return Pillow.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode in ("1", "L"):
        return picture.convert("L")
    return picture if picture.mode in ("RGB", "CMYK") else picture.convert("RGB")


def _in_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """Return a picture in sRGB; a profile that doesn't fit it is left aside, as browsers do."""
    if not profile or len(profile) > _MAX_PROFILE_BYTES:
        return picture
    try:
        return (
            ImageCms.profileToProfile(
                picture,
                io.BytesIO(profile),
                ImageCms.createProfile("sRGB"),
                outputMode="RGBA" if picture.mode == "RGBA" else "RGB",
            )
            or picture
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture


def _flat(picture: Pillow.Image) -> Pillow.Image:
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    wall = Pillow.new("RGB", picture.size, BACKGROUND)
    wall.paste(picture, mask=picture.getchannel("A"))
    return wall
