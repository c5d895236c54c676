"""Objects by key, in S3 or in a directory, behind one interface."""

from storage.objects.errors import (
    Expired,
    InvalidKey,
    InvalidSignature,
    ObjectChanged,
    ObjectNotFound,
    ObjectTooLarge,
    StorageError,
    StorageUnavailable,
)
from storage.objects.keys import checked_key, checked_prefix
from storage.objects.presigning import content_disposition
from storage.objects.settings import DirectorySettings, ObjectsSettings, S3Settings
from storage.objects.store import ObjectStore
from storage.objects.types import ObjectInfo, PresignedUpload
from storage.objects.writer import ObjectWriter

__all__ = [
    "DirectorySettings",
    "Expired",
    "InvalidKey",
    "InvalidSignature",
    "ObjectChanged",
    "ObjectInfo",
    "ObjectNotFound",
    "ObjectStore",
    "ObjectTooLarge",
    "ObjectWriter",
    "ObjectsSettings",
    "PresignedUpload",
    "S3Settings",
    "StorageError",
    "StorageUnavailable",
    "build",
    "checked_key",
    "checked_prefix",
    "content_disposition",
]


def build(settings: S3Settings | DirectorySettings) -> ObjectStore:
    """Return the store that the settings name; nothing is contacted or made yet."""
    if isinstance(settings, S3Settings):
        # boto3 takes a while to import, and a directory needs none of it.
        from storage.objects.s3 import S3ObjectStore

        return S3ObjectStore(settings)
    from storage.objects.directory import DirectoryObjectStore

    return DirectoryObjectStore(settings)
