"""Media types of recordings, detected from their content."""

import math
from typing import BinaryIO

from av.container import InputContainer
from av.stream import Disposition

from models.audio.container import open_recording
from models.audio.limits import AudioLimits
from models.errors import InputError

UNKNOWN = "application/octet-stream"

_ANY_LENGTH = AudioLimits(min_seconds=0.0, max_seconds=math.inf, allow_truncated=True)
_SOUND = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac"}
_WEBM = b"webm"
# The document type stands in the EBML header, at the very beginning (RFC 8794, section 11.2.4).
_EBML_HEADER_BYTES = 64


def media_type(source: BinaryIO) -> str:
    """Tell a recording's media type by its content.

    Args:
        source: Seekable binary file; read from its beginning, left open.

    Returns:
        A type of ``audio`` or ``video``, or ``UNKNOWN`` for what is no recording.
    """
    try:
        with open_recording(source, _ANY_LENGTH) as recording:
            if recording.format in _SOUND:
                return _SOUND[recording.format]
            family = "video" if _has_picture(recording.container) else "audio"
            return f"{family}/{_subtype(recording.format, recording.source.head)}"
    except InputError:
        return UNKNOWN


def _subtype(format: str, head: bytes) -> str:
    if format == "matroska":
        return "webm" if _WEBM in head[:_EBML_HEADER_BYTES] else "x-matroska"
    return "mp4"


def _has_picture(container: InputContainer) -> bool:
    """Tell films from sound with a picture of its cover."""
    return any(not track.disposition & Disposition.attached_pic for track in container.streams.video)
