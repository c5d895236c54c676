"""Descriptions of objects, as every object store returns them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

MIB = 1024 * 1024


@dataclass(frozen=True)
class ObjectInfo:
    """One stored object.

    Attributes:
        key: The object's key.
        size: Bytes.
        content_type: The media type given at writing; None when none was given, and always None in listings.
        modified: When it was written, in UTC; after a write to S3, by this machine's clock.
        etag: Changes whenever the object is replaced.
    """

    key: str
    size: int
    content_type: str | None
    modified: datetime
    etag: str | None


@dataclass(frozen=True)
class PresignedUpload:
    """A request that lets its bearer write one object.

    Attributes:
        url: Where to send the body.
        method: The HTTP method.
        headers: Headers that must be sent as they are; the signature covers them.
        expires_at: When the URL stops working, in UTC.
        max_bytes: The limit that the URL itself enforces. None when it enforces none, as with S3, where the
            signature of a PUT can't carry a limit: the caller then checks ``head(key).size`` afterwards.
    """

    url: str
    method: str
    headers: Mapping[str, str]
    expires_at: datetime
    max_bytes: int | None
