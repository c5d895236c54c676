"""Decoding a recording: probe, stream and decode."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.stream import Discard, Stream
from numpy.typing import NDArray

from models.audio.container import (
    Recording,
    check_codec_config,
    check_complete,
    check_shape,
    encrypted,
    in_seconds,
    open_recording,
    too_short,
    unreadable,
)
from models.audio.limits import SAMPLE_RATE, AudioInfo, AudioLimits
from models.audio.mono import MonoTrack
from models.errors import InputError

_DEFAULT_LIMITS = AudioLimits()
_DECODE_BLOCK_SECONDS = 10.0
_UNDECLARED_SECONDS = 300.0
# A decoder may stumble over its first packets, but not over this many before its first sound.
_MAX_FAILED_FIRST = 32
_MAX_FAILED_SHARE = 0.1


def probe(source: BinaryIO, limits: AudioLimits = _DEFAULT_LIMITS, *, size: int | None = None) -> AudioInfo:
    """Check a recording cheaply: its header, its declared length and its first frame.

    Args:
        source: Seekable binary file; read from its beginning, left open.
        limits: What to accept.
        size: Bytes in ``source``, if known; saves a seek.

    Returns:
        What the recording says of itself.

    Raises:
        InputError: The recording can't be used. ``code`` is ``empty_file``, ``unsupported_media``,
            ``no_audio``, ``damaged``, ``encrypted``, ``too_short`` or ``too_long``.
    """
    with open_recording(source, limits, size) as recording:
        frames = _FrameReader(recording)
        frame = next(iter(frames), None)
        if frame is None:
            frames.check_end(0.0)
            raise too_short(0.0, limits)
        return AudioInfo(
            container=recording.format,
            codec=recording.codec,
            sample_rate=frame.sample_rate,
            channels=frame.layout.nb_channels,
            duration=recording.length.seconds,
        )


def stream(
    source: BinaryIO,
    limits: AudioLimits = _DEFAULT_LIMITS,
    *,
    sample_rate: int = SAMPLE_RATE,
    block_seconds: float = 30.0,
) -> Iterator[NDArray[np.float32]]:
    """Decode a recording block by block, in memory that doesn't grow with its length.

    Nothing is read before the first block is asked for. What can only be known at the end (too short, cut
    off) is raised after the last block.

    Args:
        source: Seekable binary file; read from its beginning, left open.
        limits: What to accept.
        sample_rate: Samples a second to produce.
        block_seconds: Length of every block but the last.

    Yields:
        Mono samples, float32, nominally -1 to 1; time 0 is the recording's own.

    Raises:
        InputError: As for ``probe``.
    """
    with open_recording(source, limits) as recording:
        yield from _blocks(recording, sample_rate, max(1, round(block_seconds * sample_rate)))


def decode(
    source: BinaryIO,
    limits: AudioLimits = _DEFAULT_LIMITS,
    *,
    sample_rate: int = SAMPLE_RATE,
    on_progress: Callable[[float], None] | None = None,
) -> NDArray[np.float32]:
    """Decode a whole recording into one array, without a second copy of it.

    Args:
        source: Seekable binary file; read from its beginning, left open.
        limits: What to accept.
        sample_rate: Samples a second to produce.
        on_progress: Called every few seconds of sound with the share of the file that was read, 0 to 1.

    Returns:
        Mono samples, float32, nominally -1 to 1, one contiguous array of shape (samples,).

    Raises:
        InputError: As for ``probe``.
    """
    with open_recording(source, limits) as recording:
        declared = recording.length.seconds
        seconds = min(_UNDECLARED_SECONDS if declared is None else declared, limits.max_seconds)
        samples = np.empty(int((seconds + 1.0) * sample_rate), dtype=np.float32)
        filled = 0
        for block in _blocks(recording, sample_rate, round(_DECODE_BLOCK_SECONDS * sample_rate)):
            end = filled + len(block)
            if end > len(samples):
                samples.resize(max(end, len(samples) * 3 // 2), refcheck=False)
            samples[filled:end] = block
            filled = end
            if on_progress is not None:
                on_progress(recording.source.fraction)
    samples.resize(filled, refcheck=False)
    if on_progress is not None:
        on_progress(1.0)
    return samples


def _blocks(recording: Recording, sample_rate: int, block_samples: int) -> Iterator[NDArray[np.float32]]:
    """Cut a recording's samples into blocks and hold them to the limits."""
    limits = recording.limits
    frames = _FrameReader(recording)
    total = filled = 0
    block = np.empty(block_samples, dtype=np.float32)
    for piece in _samples(frames, MonoTrack(sample_rate, pad_start=recording.format in ("mp4", "matroska"))):
        total += len(piece)
        if total > limits.max_seconds * sample_rate:
            raise InputError("too_long", f"The recording is longer than the limit of {in_seconds(limits.max_seconds)}.")
        while len(piece):
            taken = piece[: block_samples - filled]
            block[filled : filled + len(taken)] = taken
            filled += len(taken)
            piece = piece[len(taken) :]
            if filled == block_samples:
                yield _checked(block)
                block, filled = np.empty(block_samples, dtype=np.float32), 0
    if filled:
        yield _checked(block[:filled])
    seconds = total / sample_rate
    frames.check_end(seconds)
    if seconds < limits.min_seconds:
        raise too_short(seconds, limits)


def _samples(frames: "_FrameReader", track: MonoTrack) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield from track.push(frame)
    yield from track.flush()


def _checked(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(block).all():
        raise InputError("damaged", "The recording holds samples that are not finite numbers.")
    return block


class _FrameReader:
    """The decoded frames of a recording, past packets that can't be decoded, and a verdict at the end."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._packets = 0
        self._failed = 0
        self._frames = 0
        self._reach = 0.0
        self._broken = False

    def __iter__(self) -> Iterator[AudioFrame]:
        stream = self._recording.stream
        for packet in self._demux():
            if packet.stream_index != stream.index:
                continue
            if packet.has_sidedata("encryption_info"):
                raise encrypted()
            if packet.has_sidedata("new_extradata"):
                check_codec_config(self._recording.codec, bytes(packet.get_sidedata("new_extradata")))
            for frame in self._decode(packet):
                check_shape(frame.sample_rate, frame.layout.nb_channels)
                self._frames += 1
                yield frame

    def check_end(self, seconds: float) -> None:
        """Judge the recording once all frames are read.

        Args:
            seconds: Length of what was decoded.

        Raises:
            InputError: Too much could not be decoded, or the recording is cut off.
        """
        recording = self._recording
        recording.source.raise_failure()
        if self._failed and not self._frames:
            raise unreadable(recording.source.head)
        if self._failed > max(1.0, _MAX_FAILED_SHARE * self._packets):
            raise InputError(
                "damaged",
                f"{self._failed} of the recording's {self._packets} packets can't be decoded; "
                f"at most {_MAX_FAILED_SHARE:.0%} may be lost.",
            )
        if recording.length.exact:
            check_complete(max(seconds, self._reach), recording.length, recording.limits)
        if self._broken and not recording.limits.allow_truncated:
            raise InputError(
                "damaged",
                f"The recording can't be read past {in_seconds(seconds)}. "
                "With allow_truncated=true what is there is used.",
            )

    def _demux(self) -> "Iterator[Packet[Stream]]":
        recording = self._recording
        container, stream = recording.container, recording.stream
        # A Matroska header has one length for all tracks, so all must be followed to see where the file ends.
        all_tracks = recording.format == "matroska"
        for other in container.streams:
            if other.index != stream.index and not all_tracks:
                other.discard = Discard.all
        packets: Iterator[Packet[Stream]] = container.demux(*([] if all_tracks else [stream]))
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self._broken = True
                return
            if all_tracks and packet.pts is not None:
                self._reach = max(self._reach, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            yield packet

    def _decode(self, packet: "Packet[Stream]") -> list[AudioFrame]:
        flushing = packet.size == 0
        self._packets += not flushing
        try:
            return [frame for frame in packet.decode() if isinstance(frame, AudioFrame) and frame.samples]
        except av.error.FFmpegError as error:
            self._failed += not flushing
            if not self._frames and self._failed >= _MAX_FAILED_FIRST:
                raise unreadable(self._recording.source.head) from error
            return []
