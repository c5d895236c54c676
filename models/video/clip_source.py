"""Opening and decoding a clip that is uploaded as an avatar."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.audio.source import BLOCK_BYTES, ByteSource
from models.errors import InputError
from models.video.sizes import check_pixels
from models.video.types import AvatarLimits

MAX_CLIP_PIXELS = 10_000_000
"""Of one frame: decoders hold up to 17 at once. 4096x2304 has fewer."""

_MAX_STREAMS = 64
_MAX_FRAMES_PER_SECOND = 240
_MAX_FAILED_FIRST = 32
_MAX_FAILED_SHARE = 0.1
_DECODER_THREADS = 2

# FFmpeg's demuxers. Neither opens another file or address; playlists, concat scripts and the like do.
_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg4", "mjpeg"})
_DECODERS = _CODECS | {"libdav1d"}
_PICTURE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class Clip:
    """An open clip whose header passed every check."""

    container: InputContainer
    stream: VideoStream
    source: ByteSource
    limits: AvatarLimits


@contextmanager
def open_clip(source: ByteSource, limits: AvatarLimits) -> Iterator[Clip]:
    """Open a clip by its content and check all that its header tells.

    Raises:
        InputError: It can't be used; ``code`` says why.
    """
    if source.head[4:8] == b"ftyp" and source.head[8:12] in _PICTURE_BRANDS:
        raise InputError("unsupported_media", "HEIC and AVIF pictures are not supported; send a JPEG, PNG or WebP.")
    with _open(source, limits) as container:
        stream = _choose_stream(container)
        context = stream.codec_context
        check_pixels(context.width, context.height, _most_pixels(limits))
        _check_length(container, stream, limits)
        if _is_cut_off(stream, source):
            raise InputError("damaged", "The clip is cut off: its index names frames that are not in the file.")
        yield Clip(container, stream, source, limits)


def decoded(clip: Clip) -> Iterator[VideoFrame]:
    """Yield a clip's frames in the order in which they are shown.

    Raises:
        InputError: ``damaged``, ``too_many_frames`` or ``too_many_pixels``.
    """
    packets = frames = failed = 0
    most = int(clip.limits.max_clip_seconds * _MAX_FRAMES_PER_SECOND)
    try:
        for packet in clip.container.demux(clip.stream):
            packets += 1
            try:
                pictures = packet.decode()
            except av.error.FFmpegError as error:
                failed += 1
                if not frames and failed >= _MAX_FAILED_FIRST:
                    raise _unreadable(clip.source.head) from error
                continue
            for picture in pictures:
                frames += 1
                if frames > most:
                    raise InputError("too_many_frames", f"The clip has more than {most} frames.")
                check_pixels(picture.width, picture.height, _most_pixels(clip.limits))
                yield picture
    except av.error.FFmpegError as error:
        clip.source.raise_failure()
        raise InputError("damaged", "The clip can't be read to its end: it is incomplete or damaged.") from error
    clip.source.raise_failure()
    if not frames:
        raise _unreadable(clip.source.head)
    if failed > max(1.0, _MAX_FAILED_SHARE * packets):
        raise InputError(
            "damaged",
            f"{failed} of the clip's {packets} packets can't be decoded; at most {_MAX_FAILED_SHARE:.0%} may be lost.",
        )


def too_long(limits: AvatarLimits, seconds: float | None = None) -> InputError:
    """Say that a clip is over the limit."""
    lasts = "" if seconds is None else f"it lasts {seconds:.2f} s, "
    return InputError("too_long", f"The clip is too long: {lasts}at most {limits.max_clip_seconds:g} s are accepted.")


def _open(source: ByteSource, limits: AvatarLimits) -> InputContainer:
    options = {
        "format_whitelist": ",".join(_CONTAINERS),
        "codec_whitelist": ",".join(sorted(_DECODERS)),
        "protocol_whitelist": "none",
        "analyzeduration": "1000000",  # microseconds
        "max_pixels": str(_most_pixels(limits)),  # of the decoders that look at the first frames
    }
    try:
        return av.open(source, mode="r", options=options, metadata_errors="replace", buffer_size=BLOCK_BYTES)
    except av.error.FFmpegError as error:
        source.raise_failure()
        raise _unreadable(source.head) from error


def _choose_stream(container: InputContainer) -> VideoStream:
    """Pick the first track of pictures that isn't a cover, and check that it can be decoded."""
    if len(container.streams) > _MAX_STREAMS:
        raise InputError("unsupported_media", f"The file has {len(container.streams)} tracks; at most {_MAX_STREAMS}.")
    tracks = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
    if not tracks:
        raise InputError("no_video", "The file has no moving picture.")
    stream = tracks[0]
    context = stream.codec_context
    if context is None or context.codec.canonical_name not in _CODECS:
        name = "an unknown codec" if context is None else f"the codec {context.codec.canonical_name}"
        raise InputError("unsupported_media", f"The clip is in {name}, which is not supported.")
    context.thread_count = _DECODER_THREADS
    context.options = {"max_pixels": context.options.get("max_pixels", str(MAX_CLIP_PIXELS))}
    return stream


def _check_length(container: InputContainer, stream: VideoStream, limits: AvatarLimits) -> None:
    """Refuse by its header what is too long; what its header doesn't tell shows when it is decoded."""
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    else:
        return
    if seconds > limits.max_clip_seconds + 1.0:  # the exact length is counted; an index may hold frames not shown
        raise too_long(limits, seconds)


def _is_cut_off(stream: VideoStream, source: ByteSource) -> bool:
    entries = stream.index_entries
    return len(entries) > 0 and entries[-1].pos + entries[-1].size > source.size


def _most_pixels(limits: AvatarLimits) -> int:
    return min(limits.max_pixels, MAX_CLIP_PIXELS)


def _unreadable(head: bytes) -> InputError:
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or head.startswith(b"\x1a\x45\xdf\xa3"):
        return InputError("damaged", "The clip is incomplete or damaged: nothing can be decoded.")
    return InputError(
        "unsupported_media",
        "The file is neither a picture (JPEG, PNG or WebP) nor a clip (MP4, MOV, WebM or MKV).",
    )
