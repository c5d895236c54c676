"""Clips that are uploaded as avatars, made into clips of our own."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from models.audio.source import ByteSource
from models.errors import InputError
from models.lipsync.types import FRAMES_PER_SECOND, Image
from models.video.clip_source import decoded, open_clip, too_long
from models.video.colours import SCALING, Converter, Plane, planes, tag
from models.video.encoders import add_video
from models.video.sizes import kept_size
from models.video.types import AvatarLimits

GROUP_FRAMES = 12
"""Frames of a group: what ``Footage`` holds decoded to show a clip backward."""

# Nearly without loss, as films are encoded again from it; always as many threads, or the same clip would differ.
_OPTIONS = {"preset": "veryfast", "crf": "14", "bf": "0", "sc_threshold": "0", "threads": "2"}
_SPC_UNSPECIFIED = 2
_HD_HEIGHT = 720  # browsers take an untagged clip for BT.709 from here on, a smaller one for BT.601
_MAX_PIXEL_ASPECT = 4
_LONGEST_FRAME_SECONDS = 0.5  # of one that doesn't say how long it is shown
_HDR = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
_WIDE = frozenset({ColorPrimaries.BT2020, ColorPrimaries.SMPTE431, ColorPrimaries.SMPTE432})


@dataclass(frozen=True, slots=True)
class KeptClip:
    """A clip in the form in which it is kept.

    Attributes:
        data: MP4: H.264 of 25 frames a second without B-frames, a key frame every ``GROUP_FRAMES``, no sound.
        first: The first frame.
        frames: How many there are.
    """

    data: bytes
    first: Image
    frames: int


def read_clip(source: ByteSource, limits: AvatarLimits) -> KeptClip:
    """Decode a clip and encode it as avatars are kept: upright, bounded, at 25 frames a second, square pixels.

    Memory doesn't grow with the clip's length, but for what comes out.

    Raises:
        InputError: It can't be used; ``code`` is ``damaged``, ``no_video``, ``too_long``, ``too_many_frames``,
            ``too_many_pixels``, ``too_short``, ``too_small`` or ``unsupported_media``.
    """
    file = io.BytesIO()
    with open_clip(source, limits) as clip:
        rate = clip.stream.average_rate or Fraction(FRAMES_PER_SECOND)
        frames = paced(decoded(clip), min(_LONGEST_FRAME_SECONDS, 1.0 / float(rate)), limits)
        first, count = _encode(_uniform(frames, _pixel_aspect(clip.stream.sample_aspect_ratio), limits), file)
    if count < limits.min_clip_seconds * FRAMES_PER_SECOND:
        raise InputError(
            "too_short",
            f"The clip lasts {count / FRAMES_PER_SECOND:.2f} s; at least {limits.min_clip_seconds:g} s are needed.",
        )
    return KeptClip(file.getvalue(), first, count)


def paced(frames: Iterable[VideoFrame], frame_seconds: float, limits: AvatarLimits) -> Iterator[tuple[VideoFrame, int]]:
    """Yield of frames at any times those that are seen at 25 a second, each with how often.

    Args:
        frames: In the order in which they are shown; time begins with the first.
        frame_seconds: How long a frame is shown that doesn't say so.
        limits: What is accepted.

    Raises:
        InputError: ``too_long``.
    """
    most = round(limits.max_clip_seconds * FRAMES_PER_SECOND)
    start: float | None = None
    seconds, slot, shown = 0.0, 0, None
    for frame in frames:
        time = frame.time
        if start is None:
            start = time or 0.0
        elif time is None:
            seconds += frame_seconds
        elif time - start > seconds:
            seconds = time - start
        else:
            continue
        new = _slot(seconds)
        if new >= most:
            raise too_long(limits)
        if shown is not None and new > slot:
            yield shown, new - slot
            slot = new
        shown = frame
    if shown is not None:
        yield shown, max(1, min(most, _slot(seconds + frame_seconds)) - slot)


def _slot(seconds: float) -> int:
    """Return which frame is the nearest, the later one of two; at 50 frames a second every other falls between."""
    return int(seconds * FRAMES_PER_SECOND + 0.5 + 1e-4)


def _uniform(
    frames: Iterable[tuple[VideoFrame, int]], pixel_aspect: float, limits: AvatarLimits
) -> Iterator[tuple[VideoFrame, int]]:
    """Bring frames into one size, upright, in the colours of films."""
    shape: _Shape | None = None
    reformatter = VideoReformatter()
    for frame, times in frames:
        if shape is None:
            shape = _shape(frame, pixel_aspect, limits)
        try:
            scaled = _scaled(reformatter, frame, *shape.stored)
        except av.error.FFmpegError as error:
            raise InputError(
                "unsupported_media", f"The clip's colours ({frame.format.name}) are not supported."
            ) from error
        yield shape.turned(scaled), times


def _scaled(reformatter: VideoReformatter, frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Return a frame in a size and in the colours of films; high dynamic range and wide gamuts are mapped into them."""
    untagged = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
    mapped = frame.color_trc in _HDR or frame.color_primaries in _WIDE
    scaled = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="yuv420p",
        src_colorspace=untagged if frame.colorspace == _SPC_UNSPECIFIED else None,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        dst_color_trc=ColorTrc.BT709 if mapped else None,
        dst_color_primaries=ColorPrimaries.BT709 if mapped else None,
        interpolation=SCALING,
        threads=1,
    )
    tag(scaled)
    return scaled


@dataclass(frozen=True, slots=True)
class _Shape:
    """Scaling and rotation of a clip's frames.

    Attributes:
        stored: Width and height that they are scaled to, as they lie in the file.
        transpose: Whether rows become columns; this comes first.
        flip_rows: Whether they are turned upside down.
        flip_columns: Whether they are mirrored.
    """

    stored: tuple[int, int]
    transpose: bool
    flip_rows: bool
    flip_columns: bool

    def turned(self, frame: VideoFrame) -> VideoFrame:
        """Return a frame as it is shown."""
        if not (self.transpose or self.flip_rows or self.flip_columns):
            return frame
        width, height = self.stored[::-1] if self.transpose else self.stored
        upright = VideoFrame(width, height, "yuv420p")
        tag(upright)
        for target, source in zip(planes(upright), planes(frame), strict=True):
            target[:] = self._turned(source)
        return upright

    def _turned(self, plane: Plane) -> Plane:
        plane = plane.T if self.transpose else plane
        plane = plane[::-1] if self.flip_rows else plane
        return plane[:, ::-1] if self.flip_columns else plane


def _pixel_aspect(ratio: Fraction | None) -> float:
    """Return how much wider than high a clip's pixels are; square where it says nothing or nothing sensible."""
    if not ratio or not 1 / _MAX_PIXEL_ASPECT <= ratio <= _MAX_PIXEL_ASPECT:
        return 1.0
    return float(ratio)


def _shape(frame: VideoFrame, pixel_aspect: float, limits: AvatarLimits) -> _Shape:
    """Say how a clip's frames are scaled and turned, from its first."""
    kept = kept_size(frame.width * pixel_aspect, frame.height, limits)
    across, down, skew_down, skew_across = _matrix(frame)
    if abs(skew_down) > abs(across):
        return _Shape(kept, True, skew_down < 0, skew_across < 0)
    return _Shape(kept, False, down < 0, across < 0)


def _matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """Return a, d, b and c of the matrix that a frame is to be shown with: x' = a x + c y, y' = b x + d y."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return 1, 1, 0, 0
    matrix = np.frombuffer(bytes(data), np.int32, 9)
    return int(matrix[0]), int(matrix[4]), int(matrix[1]), int(matrix[3])


def _encode(frames: Iterable[tuple[VideoFrame, int]], file: io.BytesIO) -> tuple[Image, int]:
    """Encode a clip; return its first frame, and how many it has."""
    count = 0
    first: Image | None = None
    container = None
    for frame, times in frames:
        if container is None:
            first = Converter().to_bgr(frame)
            container = av.open(file, "w", format="mp4", container_options={"fflags": "+bitexact"})
            stream = add_video(container, "libx264", _OPTIONS, frame.width, frame.height, GROUP_FRAMES)
        for _ in range(times):
            frame.pts, frame.time_base = count, Fraction(1, FRAMES_PER_SECOND)
            container.mux(stream.encode(frame))
            count += 1
    assert container is not None and first is not None
    container.mux(stream.encode(None))
    container.close()
    return first, count
