"""Limits of accepted recordings, and the properties that are read from them."""

from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second inside the system."""


@dataclass(frozen=True)
class AudioLimits:
    """Limits of accepted recordings.

    Attributes:
        min_seconds: Shorter recordings are refused.
        max_seconds: Longer recordings are refused, by their header or while they are decoded.
        allow_truncated: Decode what is there when a recording ends before its header says it does.
    """

    min_seconds: float = 0.5
    max_seconds: float = 4 * 3600
    allow_truncated: bool = False


@dataclass(frozen=True)
class AudioInfo:
    """Properties that a recording's header declares.

    Attributes:
        container: ``wav``, ``mp3``, ``flac``, ``ogg``, ``aac``, ``mp4`` (also MOV, M4A) or ``matroska`` (also
            WebM).
        codec: FFmpeg's name of the codec, for instance ``mp3`` or ``pcm_s16le``.
        sample_rate: Samples a second as recorded.
        channels: Channels as recorded.
        duration: Seconds, as the header declares; None where it declares nothing.
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration: float | None
