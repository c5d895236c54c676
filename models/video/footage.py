"""An avatar's frames, repeated for the length of a film."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator

import av
import cv2
import numpy as np
from av.codec import CodecContext
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from models.lipsync.types import Image
from models.video.colours import Converter
from models.video.types import AvatarKind

_Group = list["Packet[Stream]"]


class Footage(ABC):
    """The frames of an avatar. Iterators of one footage are independent of each other.

    Attributes:
        width: In pixels, even.
        height: In pixels, even.
        frames: How many different ones there are.
    """

    width: int
    height: int
    frames: int
    _closed = False

    @abstractmethod
    def unique_yuv(self) -> Iterator[VideoFrame]:
        """Yield the different frames, in order, as yuv420p. They may be shared: don't write into them."""

    @abstractmethod
    def film_yuv(self) -> Iterator[VideoFrame]:
        """Yield as ``film`` does, as yuv420p. They may be shared: don't write into them."""

    def unique(self) -> Iterator[Image]:
        """Yield the different frames, in order, BGR."""
        converter = Converter()
        for frame in self.unique_yuv():
            yield converter.to_bgr(frame)

    def film(self) -> Iterator[Image]:
        """Yield frames without end, BGR: frame i is ``footage_index(i, frames)`` of the different ones."""
        converter = Converter()
        for frame in self.film_yuv():
            yield converter.to_bgr(frame)

    def close(self) -> None:
        """End the films that are being read, at the latest where they turn; nothing else is held open."""
        self._closed = True


def open_footage(data: bytes, kind: AvatarKind) -> Footage:
    """Open the data of an ``AvatarFile``.

    Raises:
        ValueError: It is not such data.
    """
    return _Still(data) if kind == "still" else _Clip(data)


class _Still(Footage):
    """One picture, decoded once."""

    def __init__(self, data: bytes) -> None:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError("not the picture of an avatar")
        self._image: Image = np.asarray(image, np.uint8)
        self._frame = Converter().to_yuv(self._image)
        self.width, self.height, self.frames = self._frame.width, self._frame.height, 1

    def unique_yuv(self) -> Iterator[VideoFrame]:
        yield self._frame

    def film_yuv(self) -> Iterator[VideoFrame]:
        while not self._closed:
            yield self._frame

    def unique(self) -> Iterator[Image]:
        yield self._image.copy()

    def film(self) -> Iterator[Image]:
        while not self._closed:
            yield self._image.copy()


class _Clip(Footage):
    """A clip, kept encoded and decoded anew each time it is shown.

    It is decoded group by group: a group, of at most half a second, begins with a key frame and needs no other. To go
    backward, one group is held decoded.
    """

    def __init__(self, data: bytes) -> None:
        try:
            with av.open(io.BytesIO(data), "r", format="mp4", options={"protocol_whitelist": "none"}) as container:
                stream = container.streams.video[0]
                context = stream.codec_context
                self.width, self.height, self._extradata = context.width, context.height, context.extradata
                self._groups = _groups(container.demux(stream))
        except (av.error.FFmpegError, IndexError) as error:
            raise ValueError("not the clip of an avatar") from error
        self.frames = sum(map(len, self._groups))
        if not self.frames:
            raise ValueError("the clip of an avatar has no frame")

    def unique_yuv(self) -> Iterator[VideoFrame]:
        decoder = self._decoder()
        for group in self._groups:
            yield from _decode(decoder, group)

    def film_yuv(self) -> Iterator[VideoFrame]:
        decoder = self._decoder()
        while not self._closed:
            for group in self._groups:
                yield from _decode(decoder, group)
            position = self.frames
            for group in reversed(self._groups):
                for frame in reversed(list(_decode(decoder, group))):
                    position -= 1
                    # The ends of the clip are shown once as it turns, not twice.
                    if 0 < position < self.frames - 1:
                        yield frame

    def _decoder(self) -> VideoCodecContext:
        decoder = CodecContext.create("h264", "r")
        decoder.extradata = self._extradata
        decoder.thread_count = 1
        return decoder


def _groups(packets: "Iterator[Packet[VideoStream]]") -> list[_Group]:
    """Copy a clip's packets, by groups that begin with a key frame."""
    groups: list[_Group] = []
    for packet in packets:
        if not packet.size:
            continue
        if packet.is_keyframe:
            groups.append([])
        groups[-1].append(Packet(bytes(packet)))
    return groups


def _decode(decoder: VideoCodecContext, group: _Group) -> Iterator[VideoFrame]:
    for packet in group:
        yield from decoder.decode(packet)
    yield from decoder.decode(None)
    decoder.flush_buffers()
