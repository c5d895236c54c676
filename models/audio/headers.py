"""Lengths in headers that FFmpeg does not expose."""

import struct
from dataclasses import dataclass

from models.audio.source import ByteSource

# Writers that can't seek back leave a placeholder near 2 or 4 GiB where the length belongs.
_STREAMED_RIFF = 0x7FFF_0000
_MAX_RIFF_CHUNKS = 64
_MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


@dataclass(frozen=True)
class Extent:
    """Bytes of audio: as the header declares (None: it doesn't say), and as the file holds after it."""

    declared: int | None
    present: int


@dataclass(frozen=True)
class MpegLength:
    """Length that an MP3's first frame (Xing or VBRI) declares, in seconds, and the bytes that hold the audio."""

    seconds: float
    extent: Extent


def wav_extent(source: ByteSource) -> Extent | None:
    """Find the data chunk of a RIFF, RF64 or BW64 WAVE file (EBU Tech 3306); None where there is none."""
    magic = source.read_at(0, 12)
    if magic[:4] not in (b"RIFF", b"RF64", b"BW64") or magic[8:] != b"WAVE":
        return None
    position, data_size_64 = 12, None
    for _ in range(_MAX_RIFF_CHUNKS):
        header = source.read_at(position, 8)
        if len(header) < 8:
            return None
        name, size = struct.unpack("<4sI", header)
        position += 8
        if name == b"data":
            declared = data_size_64 if data_size_64 is not None and size == 0xFFFF_FFFF else size
            streamed = declared == 0 or (declared == size and size >= _STREAMED_RIFF)
            return Extent(None if streamed else declared, max(0, source.size - position))
        if name == b"ds64" and len(sizes := source.read_at(position, 16)) == 16:
            data_size_64 = struct.unpack("<QQ", sizes)[1]
        position += size + size % 2
    return None


def mp3_length(source: ByteSource) -> MpegLength | None:
    """Read the Xing, Info or VBRI tag in an MP3's first frame; None where there is none.

    An encoder counts frames and bytes there. Without it, the length of an MP3 is only ever an estimate.
    """
    start = _after_id3(source)
    frame = source.read_at(start, 192)
    if len(frame) < 192 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:  # sync word, layer III
        return None
    version, rate_index = frame[1] >> 3 & 3, frame[2] >> 2 & 3
    if version not in _MPEG_RATES or rate_index == 3:
        return None
    counts = _frame_counts(frame, mpeg1=version == 3, mono=frame[3] >> 6 == 3)
    if counts is None:
        return None
    frames, size = counts
    samples_per_frame = 1152 if version == 3 else 576
    seconds = frames * samples_per_frame / _MPEG_RATES[version][rate_index]
    return MpegLength(seconds, Extent(size, max(0, source.size - start)))


def is_xhe_aac(config: bytes) -> bool:
    """Tell whether an AudioSpecificConfig holds object type 42, USAC (ISO/IEC 14496-3 section 1.6.2.1)."""
    bits = int.from_bytes(config[:16].ljust(16, b"\0"), "big")
    left = 128

    def take(count: int) -> int:
        nonlocal left
        left -= count
        return bits >> left & (1 << count) - 1

    def object_type() -> int:
        kind = take(5)
        return 32 + take(6) if kind == 31 else kind

    def skip_frequency() -> None:
        if take(4) == 15:
            take(24)

    kind = object_type()
    if kind in (5, 29):  # SBR or PS first, then what they extend
        skip_frequency()
        take(4)
        skip_frequency()
        kind = object_type()
    return kind == 42


def _frame_counts(frame: bytes, *, mpeg1: bool, mono: bool) -> tuple[int, int | None] | None:
    """Return (frames, bytes) of the tag that follows the frame's side information."""
    tag = 4 + ((17 if mono else 32) if mpeg1 else (9 if mono else 17))
    if frame[tag : tag + 4] in (b"Xing", b"Info"):
        flags, *fields = struct.unpack_from(">III", frame, tag + 4)
        if flags & 1 and fields[0]:
            return fields[0], fields[1] if flags & 2 and fields[1] else None
    if frame[36:40] == b"VBRI":
        size, frames = struct.unpack_from(">II", frame, 46)
        if frames:
            return frames, size or None
    return None


def _after_id3(source: ByteSource) -> int:
    """Skip the ID3v2 tags at the beginning (id3.org, ID3v2.4.0 section 3.1)."""
    position = 0
    while len(tag := source.read_at(position, 10)) == 10 and tag[:3] == b"ID3":
        size = 0
        for byte in tag[6:10]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + (10 if tag[5] & 0x10 else 0)
    return position
