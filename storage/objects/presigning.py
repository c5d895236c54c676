"""Lifetime and file name of presigned URLs, the same for every store."""

from datetime import timedelta
from urllib.parse import quote

LONGEST = timedelta(days=7)
"""The longest lifetime that S3's signature version 4 allows."""


def checked_lifetime(expires: timedelta) -> timedelta:
    """Return a presigned URL's lifetime when it is 1 second to 7 days, else raise ``ValueError``."""
    if not timedelta(seconds=1) <= expires <= LONGEST:
        raise ValueError("a presigned URL must live between 1 second and 7 days")
    return expires


def content_disposition(filename: str, *, inline: bool = False) -> str:
    """Return the header value that names an answer, and makes a browser save it unless ``inline`` (RFC 6266, RFC 8187).

    The plain parameter is for old clients, with ``_`` for what ASCII or a quoted string can't carry.
    """
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    encoded = quote(filename, safe="", errors="replace")
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
