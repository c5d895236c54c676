"""Avatars as media."""

from dataclasses import dataclass
from typing import Literal

AvatarKind = Literal["still", "clip"]


@dataclass(frozen=True, slots=True)
class AvatarLimits:
    """Limits of accepted avatars.

    Attributes:
        max_bytes: Of the file.
        max_pixels: Width times height of the file's picture, before it is made smaller.
        min_side: Least width and height, in pixels.
        max_side: An avatar with a longer side is made smaller until it has this, in pixels.
        min_clip_seconds: Shortest clip.
        max_clip_seconds: Longest clip.
    """

    max_bytes: int = 50 * 1024 * 1024
    max_pixels: int = 50_000_000
    min_side: int = 96
    max_side: int = 1280
    min_clip_seconds: float = 0.5
    max_clip_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class AvatarFile:
    """An avatar in the form in which it is kept, whatever it came in: upright, bounded, without metadata.

    Attributes:
        kind: A still picture, or a clip that is shown forward and backward in turn.
        data: A PNG, or an MP4 of 25 frames a second without sound.
        picture: A JPEG to show of it, its first frame.
        width: In pixels, even.
        height: In pixels, even.
        frames: 1 for a still.
        content_hash: SHA-256 of ``data``, 64 hex digits.
    """

    kind: AvatarKind
    data: bytes
    picture: bytes
    width: int
    height: int
    frames: int
    content_hash: str
