"""Errors of botocore in the store's own terms."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from storage.objects.errors import ObjectChanged, ObjectNotFound, StorageError, StorageUnavailable

_MISSING_KEY = frozenset({"NoSuchKey", "NotFound", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
_REFUSED = frozenset(
    {
        "AccessDenied",
        "AllAccessDisabled",
        "ExpiredToken",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "403",
    }
)
_NO_CREDENTIALS = "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"


def code_of(error: ClientError) -> str:
    """Return the S3 error code; a HEAD has no body, its code is the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def translated(bucket: str, key: str | None = None) -> Iterator[None]:
    """Raise the store's own errors in place of botocore's; their texts hold no secret."""
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, bucket, key) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StorageUnavailable(_NO_CREDENTIALS, code=type(error).__name__, retryable=False) from error
    except BotoCoreError as error:
        raise StorageUnavailable(f"S3 cannot be reached: {error}", code=type(error).__name__) from error


def _from_answer(error: ClientError, bucket: str, key: str | None) -> StorageError:
    code = code_of(error)
    if code in _CHANGED and key is not None:
        return ObjectChanged(key)
    if code in _MISSING_KEY and key is not None:
        return ObjectNotFound(key)
    if code == "NoSuchBucket" or code in _MISSING_KEY:
        return StorageUnavailable(f"the bucket {bucket!r} does not exist", code="NoSuchBucket", retryable=False)
    if code in _REFUSED:
        message = f"S3 refuses access to the bucket {bucket!r} ({code}): check the credentials and their rights"
        return StorageUnavailable(message, code=code, retryable=False)
    return StorageUnavailable(f"S3 failed at {error.operation_name}: {code}", code=code)
