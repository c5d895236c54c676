"""Which recordings a gRPC caller may name, by bucket and key."""

import asyncio
import posixpath
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass

from grpc import StatusCode

from graphs.common.concurrency import in_thread
from graphs.common.config import ApiConfig, RpcBucket, expanded
from graphs.common.recordings import new_upload_key
from graphs.http.compat.realtone.rpc.status import RpcError
from graphs.http.server.files import ObjectSink, write_all
from graphs.http.server.services import Services
from graphs.http.server.submission import Submission, stored_recording
from graphs.spoof.kind import SPOOF
from storage.objects import (
    DirectorySettings,
    InvalidKey,
    ObjectsSettings,
    ObjectStore,
    StorageUnavailable,
    build,
    checked_key,
)
from storage.users import User

_NO_OBJECT = "There is no such object."
# How the stores say that a bucket or its folder is not there.
_MISSING_BUCKET = frozenset({"NoSuchBucket", "ENOENT"})


@dataclass(frozen=True)
class _Lent:
    store: ObjectStore
    bucket: RpcBucket


class Buckets:
    """The system's own bucket, where callers have their uploads, and those that the operator lends.

    Args:
        config: Settings of the application.

    Raises:
        ValueError: The system's own bucket is among those lent: its prefixes would open other owners' uploads.
    """

    def __init__(self, config: ApiConfig) -> None:
        own = expanded(config.storage.objects)
        self._own = _name(own)
        self._lent: Mapping[str, _Lent] = {
            bucket.name: _Lent(build(_beside(own, bucket.name)), bucket) for bucket in config.grpc.buckets
        }
        if self._own in self._lent:
            raise ValueError(
                f"grpc.buckets names {self._own!r}, the system's own bucket, whose uploads their owners may name anyway"
            )

    async def submission(self, services: Services, owner: User, bucket: str, key: str) -> Submission:
        """Return the submission of an object, copied to the owner's uploads unless it lies there.

        Raises:
            RpcError: INVALID_ARGUMENT without a bucket or a key, NOT_FOUND for what isn't there or isn't the caller's.
            ObjectTooLarge: The recording is larger than the service takes.
        """
        if not bucket:
            raise RpcError(StatusCode.INVALID_ARGUMENT, "minio_bucket_name is empty.")
        if not key:
            raise RpcError(StatusCode.INVALID_ARGUMENT, "minio_object_key is empty.")
        if bucket == self._own:
            return stored_recording(owner, SPOOF.name, key, {})
        lent = self._lent.get(bucket)
        if lent is None:
            raise RpcError(StatusCode.NOT_FOUND, f"There is no bucket {bucket!r}.")
        _check_lent(lent.bucket, owner, key)
        return await _copied(services, owner, lent, key)


def _name(objects: ObjectsSettings) -> str:
    return objects.path.name if isinstance(objects, DirectorySettings) else objects.bucket


def _beside(own: ObjectsSettings, name: str) -> ObjectsSettings:
    """Return another bucket of the same S3 server, or another folder beside the directory."""
    if isinstance(own, DirectorySettings):
        return own.model_copy(update={"path": own.path.parent / name})
    return own.model_copy(update={"bucket": name, "prefix": ""})


def _check_lent(bucket: RpcBucket, owner: User, key: str) -> None:
    try:
        checked_key(key)
    except InvalidKey as error:
        raise RpcError(StatusCode.INVALID_ARGUMENT, f"minio_object_key: {error}.") from None
    # A name with a slash would reach into the folders of the owner whose name stands before it.
    unambiguous = "/" not in owner.name or "{owner_name}" not in bucket.prefix
    if not (unambiguous and key.startswith(bucket.prefix_of(owner.name, owner.id))):
        raise RpcError(StatusCode.NOT_FOUND, _NO_OBJECT)


async def _copied(services: Services, owner: User, lent: _Lent, key: str) -> Submission:
    """Copy an object as a stream, for a job owns its recording and is erased with it."""
    copy = new_upload_key(owner.id)
    limit = services.config.recordings.max_bytes
    try:
        async with aclosing(in_thread(await asyncio.to_thread(lent.store.iterate, key))) as body:
            await write_all(body, ObjectSink(services.objects, copy, limit))
    except StorageUnavailable as error:
        if error.code in _MISSING_BUCKET:
            raise RpcError(StatusCode.NOT_FOUND, f"There is no bucket {lent.bucket.name!r}.") from None
        raise
    return Submission(SPOOF.name, copy, posixpath.basename(key), {}, uploaded_now=True)
