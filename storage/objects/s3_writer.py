"""Writing an S3 object of unknown size in parts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from storage.objects.s3_errors import translated
from storage.objects.types import MIB, ObjectInfo
from storage.objects.writer import ObjectWriter

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_SIZE = 8 * MIB
MAX_PARTS = 10_000
"""S3's own limit: an object written here has at most 78 GiB."""


class S3Writer(ObjectWriter):
    """Collects parts of 8 MiB and uploads each when it is full; a smaller object is one ``PutObject``.

    Holds one part in memory, and a copy while it is sent. Nothing is visible before the upload is completed,
    and the last to complete wins.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        path: str,
        key: str,
        *,
        content_type: str | None,
        limit: int | None,
    ) -> None:
        largest = PART_SIZE * MAX_PARTS
        super().__init__(key, largest if limit is None else min(limit, largest))
        self._client = client
        self._bucket = bucket
        self._path = path
        self._content_type = content_type
        self._headers: dict[str, Any] = {} if content_type is None else {"ContentType": content_type}
        self._upload_id: str | None = None
        self._parts: list[CompletedPartTypeDef] = []
        self._part = bytearray()

    def _write(self, data: memoryview) -> None:
        while data:
            room = PART_SIZE - len(self._part)
            self._part += data[:room]
            data = data[room:]
            # A full last part waits: it may be the whole object, which needs no multipart upload.
            if data:
                self._upload_part()

    def _commit(self) -> ObjectInfo:
        etag = self._put() if self._upload_id is None else self._complete(self._upload_id)
        return ObjectInfo(
            key=self.key,
            size=self.size,
            content_type=self._content_type,
            modified=datetime.now(UTC),
            etag=etag.strip('"'),
        )

    def _abort(self) -> None:
        self._part = bytearray()
        if self._upload_id is not None:
            with translated(self._bucket):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self._path, UploadId=self._upload_id)

    def _upload_part(self) -> None:
        with translated(self._bucket):
            if self._upload_id is None:
                self._upload_id = self._begin()
            number = len(self._parts) + 1
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._path,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=bytes(self._part),
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._part = bytearray()

    def _begin(self) -> str:
        answer = self._client.create_multipart_upload(Bucket=self._bucket, Key=self._path, **self._headers)
        return answer["UploadId"]

    def _put(self) -> str:
        with translated(self._bucket):
            answer = self._client.put_object(
                Bucket=self._bucket, Key=self._path, Body=bytes(self._part), **self._headers
            )
        self._part = bytearray()
        return answer["ETag"]

    def _complete(self, upload_id: str) -> str:
        if self._part:
            self._upload_part()
        with translated(self._bucket):
            answer = self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._path,
                UploadId=upload_id,
                MultipartUpload={"Parts": self._parts},
            )
        return answer["ETag"]
