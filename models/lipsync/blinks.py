"""Times of blinks: irregular, and the same on every replica that draws a part of the film."""

import hashlib

from models.lipsync.types import FRAMES_PER_SECOND

CLOSINGS = (0.0, 0.25, 0.55, 0.85, 1.0)
"""Degrees to which the eyes are closed: 0 open, 1 shut."""

_COURSE = (2, 4, 4, 3, 1)


def eyes_closed(frame: int, seed: bytes, per_minute: float) -> int:
    """Return how far the eyes are closed in a frame of a film: an index of ``CLOSINGS``.

    Time is cut into stretches of equal length with one blink in each.

    Args:
        frame: Its number.
        seed: Of the face: other faces blink at other times.
        per_minute: Blinks; 0 for none.
    """
    if per_minute <= 0:
        return 0
    stretch = max(len(_COURSE) + 3, round(60 * FRAMES_PER_SECOND / per_minute))
    number, place = divmod(frame, stretch)
    chance = int.from_bytes(hashlib.blake2b(seed + number.to_bytes(8, "big"), digest_size=4).digest(), "big")
    begin = 2 + chance * (stretch - len(_COURSE) - 2) // 2**32
    return _COURSE[place - begin] if 0 <= place - begin < len(_COURSE) else 0
