"""Objects in a bucket of Amazon S3, MinIO or another server with the S3 API."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from storage.objects.errors import InvalidKey, ObjectTooLarge, StorageUnavailable
from storage.objects.keys import checked_key, checked_prefix, is_key
from storage.objects.presigning import checked_lifetime, content_disposition
from storage.objects.reading import chunks
from storage.objects.s3_errors import code_of, translated
from storage.objects.s3_reader import BlockReader
from storage.objects.s3_writer import S3Writer
from storage.objects.settings import S3Settings
from storage.objects.types import MIB, ObjectInfo, PresignedUpload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

_CONNECTION_LOST = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""Faults in the middle of an answer, which botocore's own retries don't cover."""

_NO_CONTENT_TYPE = "binary/octet-stream"
"""The content type that S3 stores when none was given."""


class S3ObjectStore:
    """An ``ObjectStore`` over one bucket.

    The client is made at the first use, in the process that uses it, and shared by its threads.

    Args:
        settings: Bucket, server and limits.
        clock: The time, for the expiry of presigned uploads.
    """

    def __init__(self, settings: S3Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._bucket = settings.bucket
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: dict[str | None, S3Client] = {}

    @property
    def client(self) -> S3Client:
        """The boto3 client of this process."""
        return self._client_of(self._settings.endpoint_url)

    def ensure(self) -> None:
        """Make the bucket unless it exists."""
        with translated(self._bucket):
            try:
                self.client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if code_of(error) not in ("404", "NoSuchBucket"):
                    raise
                self._create_bucket()

    def check(self) -> None:
        """Return when the bucket answers, else raise ``StorageUnavailable``."""
        with translated(self._bucket):
            self.client.head_bucket(Bucket=self._bucket)

    def writer(self, key: str, *, content_type: str | None = None, limit: int | None = None) -> S3Writer:
        """Open a streaming writer; see ``ObjectStore.writer``."""
        return S3Writer(self.client, self._bucket, self._path(key), key, content_type=content_type, limit=limit)

    def put(self, key: str, data: bytes, *, content_type: str | None = None) -> ObjectInfo:
        """Write an object that is already in memory."""
        with self.writer(key, content_type=content_type) as writer:
            writer.write(data)
        return writer.commit()

    def get(self, key: str, *, limit: int = 64 * MIB) -> bytes:
        """Read a whole object of at most ``limit`` bytes."""

        def body(answer: GetObjectOutputTypeDef) -> bytes:
            if answer["ContentLength"] > limit:
                answer["Body"].close()
                raise ObjectTooLarge(key, limit)
            return answer["Body"].read()

        return self._download(key, {"Key": self._path(key)}, body)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking; see ``BlockReader``."""
        info = self.head(key)
        request = {"Key": self._path(key), "IfMatch": f'"{info.etag}"'}

        def fetch(start: int, end: int) -> bytes:
            part = request | {"Range": f"bytes={start}-{end - 1}"}
            return self._download(key, part, lambda answer: answer["Body"].read())

        return cast(BinaryIO, io.BufferedReader(BlockReader(info.size, fetch), buffer_size=MIB // 16))

    def iterate(self, key: str, start: int = 0, end: int | None = None, chunk: int = MIB) -> Iterator[bytes]:
        """Read a range in chunks, for a download."""
        return chunks(self.open(key), start, end, chunk)

    def head(self, key: str) -> ObjectInfo:
        """Describe an object."""
        path = self._path(key)
        with translated(self._bucket, key):
            answer = self.client.head_object(Bucket=self._bucket, Key=path)
        content_type = answer.get("ContentType")
        return ObjectInfo(
            key=key,
            size=answer["ContentLength"],
            content_type=None if content_type == _NO_CONTENT_TYPE else content_type,
            modified=answer["LastModified"],
            etag=answer["ETag"].strip('"'),
        )

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        path = self._path(key)
        with translated(self._bucket):
            self.client.delete_object(Bucket=self._bucket, Key=path)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object in a folder and return their number."""
        if not prefix:
            raise InvalidKey("refusing to delete every object: name a folder")
        return sum(self._delete(page) for page in self._pages(prefix))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Describe the objects in a folder, in the order of their keys."""
        pages = self._pages(prefix)
        return (info for page in pages for info in page)

    def expire(self, prefix: str, *, older_than: datetime, keep: Container[str] = ()) -> int:
        """Delete a folder's old objects but those to keep, and drop the multipart uploads begun before that time.

        A server that doesn't list its unfinished uploads (older MinIO) drops them by its own rule.
        """
        count = 0
        for page in self._pages(prefix):
            count += self._delete([info for info in page if info.modified < older_than and info.key not in keep])
        self._drop_uploads(self._settings.prefix + checked_prefix(prefix), older_than)
        return count

    def presign_get(
        self, key: str, *, expires: timedelta, filename: str | None = None, content_type: str | None = None
    ) -> str:
        """Return a URL that downloads the object without credentials."""
        parameters = {"Bucket": self._bucket, "Key": self._path(key)}
        if filename is not None:
            parameters["ResponseContentDisposition"] = content_disposition(filename)
        if content_type is not None:
            parameters["ResponseContentType"] = content_type
        return self._presign("get_object", parameters, expires)

    def presign_put(
        self, key: str, *, expires: timedelta, content_type: str | None = None, max_bytes: int | None = None
    ) -> PresignedUpload:
        """Return a request that uploads the object without credentials.

        The signature of an S3 PUT can't limit the size: the result's ``max_bytes`` is None, and the caller
        checks ``head(key).size``.
        """
        expires_at = self._clock() + expires
        parameters = {"Bucket": self._bucket, "Key": self._path(key)}
        headers = {}
        if content_type is not None:
            parameters["ContentType"] = content_type
            headers["Content-Type"] = content_type
        url = self._presign("put_object", parameters, expires)
        return PresignedUpload(url=url, method="PUT", headers=headers, expires_at=expires_at, max_bytes=None)

    def _path(self, key: str) -> str:
        return self._settings.prefix + checked_key(key)

    def _client_of(self, endpoint_url: str | None) -> S3Client:
        # Making a client isn't thread-safe in boto3; using one is.
        with self._lock:
            if endpoint_url not in self._clients:
                self._clients[endpoint_url] = self._make_client(endpoint_url)
            return self._clients[endpoint_url]

    def _make_client(self, endpoint_url: str | None) -> S3Client:
        settings = self._settings
        addressing = settings.addressing
        if addressing == "auto":
            # A bucket in the host name needs DNS entries that only Amazon's own endpoint surely has.
            addressing = "virtual" if endpoint_url is None else "path"
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": addressing},
            retries={"mode": "standard", "total_max_attempts": settings.max_attempts},
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            max_pool_connections=settings.max_connections,
            # Other servers than Amazon's often don't know the newer checksum trailers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        with translated(self._bucket):
            return boto3.session.Session().client(
                "s3", region_name=settings.region, endpoint_url=endpoint_url, config=config
            )

    def _create_bucket(self) -> None:
        region = self._settings.region
        # Amazon refuses to hear the name of its default region here.
        place: dict[str, Any] = (
            {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        try:
            self.client.create_bucket(Bucket=self._bucket, **place)
        except ClientError as error:
            code = code_of(error)
            if code == "BucketAlreadyExists":
                raise StorageUnavailable(
                    f"the bucket {self._bucket!r} belongs to somebody else", code=code, retryable=False
                ) from error
            if code != "BucketAlreadyOwnedByYou":  # another process was quicker
                raise

    def _download(self, key: str, request: dict[str, Any], body: Callable[[GetObjectOutputTypeDef], bytes]) -> bytes:
        """Request an object or a part of it, again when the connection breaks within the answer."""
        with translated(self._bucket, key):
            for _ in range(self._settings.max_attempts - 1):
                try:
                    return body(self.client.get_object(Bucket=self._bucket, **request))
                except _CONNECTION_LOST:
                    continue
            return body(self.client.get_object(Bucket=self._bucket, **request))

    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectInfo]]:
        """Yield a folder's objects, at most 1000 at a time, without those whose keys aren't valid ones."""
        return self._listed(self._settings.prefix + checked_prefix(prefix))

    def _listed(self, path: str) -> Iterator[Sequence[ObjectInfo]]:
        with translated(self._bucket):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=path)
            for page in pages:
                found = ((item["Key"].removeprefix(self._settings.prefix), item) for item in page.get("Contents", []))
                yield [
                    ObjectInfo(key, item["Size"], None, item["LastModified"], item["ETag"].strip('"'))
                    for key, item in found
                    if is_key(key)
                ]

    def _delete(self, objects: Sequence[ObjectInfo]) -> int:
        if not objects:
            return 0
        with translated(self._bucket):
            answer = self.client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": self._path(info.key)} for info in objects], "Quiet": True},
            )
        if failed := answer.get("Errors"):
            code = failed[0].get("Code", "Unknown")
            raise StorageUnavailable(f"S3 deleted all but {len(failed)} objects: {code}", code=code)
        return len(objects)

    def _drop_uploads(self, path: str, older_than: datetime) -> None:
        with translated(self._bucket):
            # Without a prefix, since MinIO takes one for a whole key.
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket):
                for upload in page.get("Uploads", []):
                    if upload["Key"].startswith(path) and upload["Initiated"] < older_than:
                        self._drop_upload(upload["Key"], upload["UploadId"])

    def _drop_upload(self, path: str, upload_id: str) -> None:
        try:
            self.client.abort_multipart_upload(Bucket=self._bucket, Key=path, UploadId=upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":  # its writer finished it meanwhile
                raise

    def _presign(self, operation: str, parameters: dict[str, str], expires: timedelta) -> str:
        seconds = int(checked_lifetime(expires).total_seconds())
        client = self._client_of(self._settings.public_endpoint_url or self._settings.endpoint_url)
        with translated(self._bucket):
            return client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
