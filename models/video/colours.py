"""Colour conversion of films: BT.709 in limited range, tagged in every stream, to and from BGR."""

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from numpy.typing import NDArray

from models.lipsync.types import Image

# Without accurate rounding swscale's colours are 2 to 3 levels too dark.
SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INP

_AVCOL_SPC_BT709 = 1  # FFmpeg's enumeration of matrices, which is not that of swscale

Plane = NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]
"""Luma uint8[height, width] and both chromas uint8[height / 2, width / 2]."""


class Converter:
    """Converts pictures of any size, fastest when the size stays the same. For one thread at a time."""

    def __init__(self) -> None:
        self._to_yuv = VideoReformatter()
        self._to_bgr = VideoReformatter()

    def to_yuv(self, image: Image) -> VideoFrame:
        """Return a BGR picture of even sides as yuv420p."""
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            raise ValueError(f"a picture of {width}x{height} pixels has no yuv420p: its sides must be even")
        source = VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), format="bgr24")
        frame = self._to_yuv.reformat(
            source,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=SCALING,
            threads=1,
        )
        tag(frame)
        return frame

    def to_bgr(self, frame: VideoFrame) -> Image:
        """Return a frame of a film as a BGR picture."""
        converted = self._to_bgr.reformat(
            frame,
            format="bgr24",
            src_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=SCALING | Interpolation.FULL_CHR_H_INT,
            threads=1,
        )
        return np.asarray(converted.to_ndarray(), np.uint8)


def tag(target: VideoFrame | VideoCodecContext) -> None:
    """Say of a frame or of an encoder which colours it holds."""
    target.color_range = ColorRange.MPEG
    target.colorspace = _AVCOL_SPC_BT709
    target.color_primaries = ColorPrimaries.BT709
    target.color_trc = ColorTrc.BT709


def planes(frame: VideoFrame) -> Planes:
    """Return views of a yuv420p frame's memory: what is written into them is in the frame."""
    luma, first, second = (
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    )
    return luma, first, second


def copy_of(frame: VideoFrame) -> VideoFrame:
    """Return a yuv420p frame with the same picture in memory of its own."""
    copy = VideoFrame(frame.width, frame.height, "yuv420p")
    tag(copy)
    for to, source in zip(planes(copy), planes(frame), strict=True):
        np.copyto(to, source)
    return copy
