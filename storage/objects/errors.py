"""Errors of the object stores and of their presigned URLs."""


class InvalidKey(ValueError):
    """A key or a prefix breaks the rules of ``storage.objects.keys``."""


class InvalidSignature(Exception):
    """A presigned URL's parameters are incomplete, altered, or meant for another method or key."""


class Expired(Exception):
    """A presigned URL was right, and its time has passed."""


class StorageError(Exception):
    """The base of the store's own errors.

    Attributes:
        code: The S3 error code (``NoSuchKey``, ``AccessDenied``, ...), the name of the client's error
            (``EndpointConnectionError``), or the name of the operating system's error (``ENOSPC``).
    """

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ObjectNotFound(StorageError):
    """No object has this key."""

    def __init__(self, key: str, *, code: str | None = "NoSuchKey") -> None:
        super().__init__(f"no object has the key {key!r}", code=code)
        self.key = key


class ObjectTooLarge(StorageError):
    """An object is, or would become, larger than the caller allows.

    Attributes:
        limit: The largest size allowed, in bytes.
    """

    def __init__(self, key: str, limit: int) -> None:
        super().__init__(f"object {key!r} is larger than {limit} bytes", code="EntityTooLarge")
        self.key = key
        self.limit = limit


class StorageUnavailable(StorageError):
    """The store can't serve the request now: network, server, disk, rights.

    Attributes:
        retryable: False when only an operator can help (missing bucket, refused credentials, rights).
    """

    def __init__(self, message: str, *, code: str | None = None, retryable: bool = True) -> None:
        super().__init__(message, code=code)
        self.retryable = retryable


class ObjectChanged(StorageUnavailable):
    """An object was replaced while it was read; reading it again from the start helps."""

    def __init__(self, key: str) -> None:
        super().__init__(f"object {key!r} was replaced while it was read", code="PreconditionFailed")
        self.key = key
