"""Streaming MP4 writer of frames and sound."""

from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

from models.audio.frames import audio_frame, clean
from models.lipsync.types import FRAMES_PER_SECOND
from models.video.encoders import AUDIO_RATE, add_audio, add_video, h264_options
from models.video.sinks import Pipe, SharedFile
from models.video.xmp import xmp_box

FIRST_FRAGMENT_FRAMES = 12
"""Frames of a streamed film's first fragment."""

FRAGMENT_FRAMES = 24
"""Frames of every later fragment but the last: as long as 45 packets of AAC, so none waits longer for its sound."""

FRAGMENT_LAG_FRAMES = 2
"""Frames that must be written beyond a fragment, with their sound, before it comes out: AAC's encoder looks ahead."""

_KEY_FRAMES_EVERY = 50  # of a film in a file: players seek to them

_COMMON = {
    # The muxer waits for pictures without end; else it would write sound that is far ahead without them.
    "max_interleave_delta": "0",
    "fflags": "+bitexact",
}
_FRAGMENTED = {
    # The index waits for the first fragment, for only then it can say how much of the sound is the encoder's lead-in.
    "movflags": "frag_keyframe+delay_moov+default_base_moof+skip_trailer+use_metadata_tags",
    "flush_packets": "1",
}
_PLAIN = {"movflags": "faststart+use_metadata_tags"}


class Mp4Writer:
    """Writes a film: H.264 of 25 frames a second, and AAC.

    Frame i is seen from i / 25 s on, and sample n is heard at n / ``audio_rate`` s. Sound should be written ahead of
    the frames that it belongs to: what is written of one and not yet of the other is held, encoded. In the end both
    last equally long: the last frame stays while there is sound, and silence follows until it has been seen.
    For one thread at a time.

    Args:
        width: In pixels, even.
        height: In pixels, even.
        audio_rate: Of the samples that are written, in Hz.
        encoder: ``libx264`` or ``h264_nvenc``.
        quality: Constant rate factor of H.264; lower is better.
        threads: CPU threads of the encoder.
        tags: Metadata, by FFmpeg's names; ``digital_source_type`` is written as XMP, too.
        sink: None for a film in fragments, which come from ``take`` and ``finish``; each begins with a key frame and
            can be played when it comes. Or a seekable file, open for reading and writing, for a film with its index
            in front; it is left open.

    Raises:
        RuntimeError: The encoder doesn't work on this machine; the message says what to do.
        ValueError: There is no such encoder.
    """

    def __init__(
        self,
        width: int,
        height: int,
        audio_rate: int,
        *,
        encoder: str = "libx264",
        quality: int = 23,
        threads: int = 1,
        tags: dict[str, str] | None = None,
        sink: BinaryIO | None = None,
    ) -> None:
        self._sink = Pipe() if sink is None else SharedFile(sink)
        streamed = isinstance(self._sink, Pipe)
        options = h264_options(encoder, quality, threads, streamed=streamed)
        key_every = FRAGMENT_FRAMES if streamed else _KEY_FRAMES_EVERY
        self._container = _open(self._sink)
        self._tags = dict(tags or {})
        self._container.metadata.update(self._tags)
        self._video = add_video(self._container, encoder, options, width, height, key_every)
        self._audio = add_audio(self._container)
        self._audio_rate = audio_rate
        self._resampler = av.AudioResampler(
            format="fltp", layout="mono", rate=AUDIO_RATE, frame_size=self._audio.codec_context.frame_size
        )
        self._size = width, height
        self._frames = self._samples = 0
        self._last: VideoFrame | None = None

    def write_audio(self, samples: NDArray[np.float32]) -> None:
        """Add sound, float32[n], mono; what is beyond [-1, 1] is clipped, what is not a number is silence."""
        if not len(samples):
            return
        frame = audio_frame(clean(samples), self._audio_rate)
        frame.time_base = Fraction(1, self._audio_rate)
        frame.pts = self._samples
        self._samples += len(samples)
        self._encode_audio(self._resampler.resample(frame))

    def write_video(self, frame: VideoFrame) -> None:
        """Add a frame, yuv420p in the colours of ``models.video.colours``; its time and type are set here.

        Raises:
            ValueError: It has another size than the film.
        """
        if (frame.width, frame.height) != self._size:
            raise ValueError(f"a frame of {frame.width}x{frame.height} pixels in a film of {self._size}")
        frame.pts = self._frames
        frame.time_base = Fraction(1, FRAMES_PER_SECOND)
        frame.pict_type = PictureType.I if self._begins_fragment() else PictureType.NONE
        self._frames += 1
        self._last = frame
        self._container.mux(self._video.encode(frame))

    def take(self) -> bytes:
        """Return the bytes of a fragmented film that came since the last call; there may be none."""
        return self._sink.take() if isinstance(self._sink, Pipe) else b""

    def finish(self) -> bytes:
        """End the film; return the rest of its bytes, none if it is in a file.

        Raises:
            ValueError: No frame was written.
        """
        if self._last is None:
            raise ValueError("a film needs a frame")
        while self._frames * self._audio_rate < self._samples * FRAMES_PER_SECOND:
            self.write_video(self._last)
        self._write_silence(-(-self._frames * self._audio_rate // FRAMES_PER_SECOND) - self._samples)
        self._encode_audio(self._resampler.resample(None))
        self._container.mux(self._audio.encode(None))
        self._container.mux(self._video.encode(None))
        self._container.close()
        if source_type := self._tags.get("digital_source_type"):
            self._sink.append(xmp_box(source_type))
        return self.take()

    def close(self) -> None:
        """Give up a film that is not finished; what was written of it is no film. Does nothing after ``finish``."""
        self._sink.closed = True  # else the container would write an end
        self._container.close()
        self._last = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begins_fragment(self) -> bool:
        return isinstance(self._sink, Pipe) and (
            self._frames == 0 or self._frames % FRAGMENT_FRAMES == FIRST_FRAGMENT_FRAMES
        )

    def _write_silence(self, samples: int) -> None:
        while samples > 0:
            piece = min(samples, self._audio_rate)
            self.write_audio(np.zeros(piece, np.float32))
            samples -= piece

    def _encode_audio(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._container.mux(self._audio.encode(frame))


def _open(sink: Pipe | SharedFile) -> OutputContainer:
    if isinstance(sink, Pipe):
        return av.open(sink, "w", format="mp4", container_options=_COMMON | _FRAGMENTED)
    return av.open(
        sink, "w", format="mp4", container_options=_COMMON | _PLAIN, io_open=lambda url, flags, options: sink.open()
    )
