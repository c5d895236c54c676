"""Pictures and clips for tests of video, made here."""

import io
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image as Pillow

from models.lipsync import Image
from models.video.colours import SCALING

QUARTERS = ((200, 40, 30), (40, 180, 60), (30, 60, 210), (230, 220, 90))
"""RGB of a picture's quarters: top left, top right, bottom left, bottom right."""


def quarters(width: int, height: int) -> Pillow.Image:
    """Return a picture that shows which way up it is."""
    rgb = np.empty((height, width, 3), np.uint8)
    for index, colour in enumerate(QUARTERS):
        rows = slice(height // 2, None) if index // 2 else slice(0, height // 2)
        columns = slice(width // 2, None) if index % 2 else slice(0, width // 2)
        rgb[rows, columns] = colour
    return Pillow.fromarray(rgb)


def saved(picture: Pillow.Image, format: str, **options: Any) -> io.BytesIO:
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, format, **options)
    file.seek(0)
    return file


def seen_quarters(image: Image) -> list[tuple[int, ...]]:
    """Return the RGB at the middles of a BGR picture's quarters, in the order of ``QUARTERS``."""
    height, width = image.shape[:2]
    places = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(int(value) for value in image[place][::-1]) for place in places]


def near(seen: Iterable[tuple[int, ...]], wanted: Iterable[tuple[int, ...]], levels: int = 6) -> bool:
    """Tell whether colours are the same but for a few levels."""
    return bool(np.abs(np.array(list(seen)) - np.array(list(wanted))).max() <= levels)


def numbered(count: int, width: int = 128, height: int = 96) -> Iterator[NDArray[np.uint8]]:
    """Yield up to 60 different BGR frames whose grey tells their number; see ``number_of``."""
    for number in range(count):
        yield np.full((height, width, 3), min(250, 10 + 4 * number), np.uint8)


def number_of(image: Image) -> int:
    """Return the number of a frame of ``numbered``."""
    return round((float(image.mean()) - 10) / 4)


def clip(
    frames: Iterable[Image],
    *,
    rate: int = 25,
    times: Iterable[float] | None = None,
    format: str = "mp4",
    codec: str = "libx264",
    aspect: Fraction | None = None,
    untagged: bool = False,
    hlg: bool = False,
) -> io.BytesIO:
    """Return frames, BGR, as a clip.

    Args:
        frames: All of one size.
        rate: Frames a second.
        times: When each is shown, in seconds; None for evenly.
        format: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        aspect: Width of a pixel by its height.
        untagged: Say nothing of the colours, which are BT.601 then.
        hlg: Say that the levels are those of high dynamic range (BT.2100 HLG).
    """
    file = io.BytesIO()
    space = Colorspace.ITU601 if untagged or codec == "mjpeg" else Colorspace.ITU709
    with av.open(file, "w", format=format) as container:
        stream: Any = None
        clock = iter(times) if times is not None else None
        for number, image in enumerate(frames):
            if stream is None:
                options = {"preset": "superfast"} if codec == "libx264" else {}
                stream = container.add_stream(codec, rate=rate, options=options)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.codec_context.time_base = Fraction(1, 1000) if clock else Fraction(1, rate)
                if aspect:
                    stream.codec_context.sample_aspect_ratio = aspect
                if not untagged and codec != "mjpeg":
                    stream.codec_context.colorspace, stream.codec_context.color_range = 9 if hlg else 1, 1
                if hlg:
                    stream.codec_context.color_trc, stream.codec_context.color_primaries = 18, 9
            frame = VideoFrame.from_ndarray(image, format="bgr24").reformat(
                format=stream.pix_fmt,
                dst_colorspace=space,
                dst_color_range=ColorRange.JPEG if codec == "mjpeg" else ColorRange.MPEG,
                interpolation=SCALING,
            )
            frame.pts = round(1000 * next(clock)) if clock else number
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    return file


def turned(file: io.BytesIO, matrix: tuple[int, int, int, int]) -> io.BytesIO:
    """Write a, b, c and d of a display matrix into the only track of an MP4."""
    data = bytearray(file.getvalue())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 16
    a, b, c, d = (value * 65536 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    return io.BytesIO(bytes(data))


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """Return an MP4's outermost boxes: type and content."""
    found, position = [], 0
    while position < len(data):
        size, kind = struct.unpack(">I4s", data[position : position + 8])
        found.append((kind.decode("latin-1"), data[position + 8 : position + size]))
        position += size
    return found
