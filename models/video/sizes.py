"""Accepted sizes of avatars, and the sizes that they are scaled to."""

from models.errors import InputError
from models.video.types import AvatarLimits


def check_pixels(width: int, height: int, most: int) -> None:
    """Refuse a picture of more pixels than are decoded.

    Raises:
        InputError: ``too_many_pixels``.
    """
    if width * height > most:
        raise InputError(
            "too_many_pixels",
            f"The picture has {width}x{height} = {width * height} pixels; at most {most} are accepted.",
        )


def kept_size(width: float, height: float, limits: AvatarLimits) -> tuple[int, int]:
    """Return the size that a picture is kept in: its longer side at most the limit, both even.

    Args:
        width: As it is shown, in pixels.
        height: Likewise.
        limits: What is accepted.

    Raises:
        InputError: It is ``too_small``, as it came or once it has been made smaller.
    """
    if min(width, height) < limits.min_side:
        raise InputError(
            "too_small",
            f"The picture has {width:.0f}x{height:.0f} pixels; both sides must have at least {limits.min_side}.",
        )
    scale = min(1.0, limits.max_side / max(width, height))
    kept = _even(width * scale), _even(height * scale)
    if min(kept) < limits.min_side - 1:
        raise InputError(
            "too_small",
            f"The picture is too narrow: of its {width:.0f}x{height:.0f} pixels {kept[0]}x{kept[1]} are left once its "
            f"longer side is made {limits.max_side}; both sides must have at least {limits.min_side}.",
        )
    return kept


def _even(side: float) -> int:
    return max(2, round(side) // 2 * 2)
