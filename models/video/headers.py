"""Facts from a picture's first bytes, read before any decoder gets the file."""

import re
from typing import Literal

StillFormat = Literal["JPEG", "PNG", "WebP"]

HEAD_BYTES = 32
"""Bytes that tell the format."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # the end of a scan: neither a stuffed byte nor a restart
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def still_format(head: bytes) -> StillFormat | None:
    """Return which of the pictures that are read here a file is, by its first bytes."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return None


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height of a WebP, from its first 30 bytes; None where they are not a WebP's."""
    kind = head[12:16]
    if len(head) < 30:
        return None
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def jpeg_scans(data: bytes, most: int) -> int:
    """Count the scans of a JPEG, up to one more than ``most``; what follows the picture is not looked at."""
    position, scans = 2, 0
    while position + 4 <= len(data) and scans <= most:
        if data[position] != 0xFF or data[position + 1] in (0x00, 0xFF):
            position += 1
            continue
        marker = data[position + 1]
        if marker == _END_OF_IMAGE:
            break
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _START_OF_SCAN:
            scans += 1
            end = _MARKER.search(data, position)
            position = end.start() if end else len(data)
    return scans
