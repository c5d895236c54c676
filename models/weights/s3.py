"""Weights in S3: in a bucket that a reference names, and in the mirror.

The endpoint, the region and the credentials are boto3's: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and so on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ResponseStreamingError,
)

from models.errors import MissingWeights
from models.weights.origins import ConnectionLost, Listing, RemoteFile
from models.weights.sources import S3Source, checked_path

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_BLOCK = 1 << 20
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_READ = (*_ENDPOINTS, "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
_AMAZON = re.compile(r"(.*\.)?amazonaws\.com(\.cn)?")
_MD5 = re.compile("[0-9a-f]{32}")
_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
_DENIED = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "Forbidden")
_TRY_AGAIN = ("RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "500", "502", "503", "504")


class S3Folder:
    """A folder of a bucket: objects by their path in it.

    Its methods raise ``MissingWeights`` with a sentence, or ``ConnectionLost``.
    """

    def __init__(self, source: S3Source) -> None:
        self.source = source

    def sizes(self) -> dict[str, int]:
        """Return the size of every object by its path."""
        prefix = f"{self.source.key}/" if self.source.key else ""
        found: dict[str, int] = {}
        with self.explained():
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.source.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    path = item["Key"].removeprefix(prefix)
                    if not path.endswith("/"):
                        found[path] = item["Size"]
        return found

    def head(self, path: str) -> dict[str, Any] | None:
        """Return what S3 says of an object; None where there is none. An empty path is the folder's own key."""
        with self.explained():
            try:
                return dict(self.client.head_object(Bucket=self.source.bucket, Key=self._key(path)))
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                    return None
                raise

    def content(self, path: str) -> bytes | None:
        """Return a small object; None where there is none."""
        with self.explained():
            try:
                return self.client.get_object(Bucket=self.source.bucket, Key=self._key(path))["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                    return None
                raise

    def read(self, path: str, offset: int, etag: str | None) -> Iterator[bytes]:
        """Yield an object's bytes from an offset on, of the version with that ETag."""
        request: dict[str, Any] = {"Range": f"bytes={offset}-"} if offset else {}
        if etag:
            request["IfMatch"] = f'"{etag}"'
        with self.explained():
            body = self.client.get_object(Bucket=self.source.bucket, Key=self._key(path), **request)["Body"]
            with body:
                yield from body.iter_chunks(_BLOCK)

    def upload(self, path: str, file: Path, metadata: dict[str, str], advances: Any) -> None:
        """Write a file, large ones in parts."""
        with self.explained():
            self.client.upload_file(
                str(file), self.source.bucket, self._key(path), ExtraArgs={"Metadata": metadata}, Callback=advances
            )

    def write(self, path: str, content: bytes) -> None:
        """Write a small object."""
        with self.explained():
            self.client.put_object(
                Bucket=self.source.bucket, Key=self._key(path), Body=content, ContentType="application/json"
            )

    @property
    def client(self) -> "S3Client":
        """The boto3 client, one for the whole process."""
        with self.explained():
            return _client(tuple(os.environ.get(name) for name in _READ))

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what boto3 raises into sentences, or into ``ConnectionLost``."""
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _TRY_AGAIN:
                raise ConnectionLost(f"S3 answers {code}") from error
            if code in _MISSING:
                raise MissingWeights(f"there is nothing at {self.source} ({code})") from error
            if code in _DENIED:
                raise MissingWeights(f"S3 refuses access to {self.source} ({code}): check the credentials") from error
            if code in ("412", "PreconditionFailed"):
                raise MissingWeights(f"{self.source} changed while it was read; try again") from error
            raise MissingWeights(f"S3 failed at {self.source}: {code}") from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise MissingWeights(
                f"no S3 credentials for {self.source}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
                "machine a role"
            ) from error
        except (ConnectionError, HTTPClientError, ResponseStreamingError) as error:
            raise ConnectionLost(f"no connection to S3 ({type(error).__name__})") from error
        except BotoCoreError as error:
            raise MissingWeights(f"S3 failed at {self.source}: {error}") from error

    def _key(self, path: str) -> str:
        return "/".join(filter(None, (self.source.key, path)))


class S3Origin:
    """Weights in a bucket, a folder or one file; see ``models.weights.origins.Origin``."""

    def __init__(self, source: S3Source, *, is_file: bool) -> None:
        self._folder = S3Folder(source)
        self._is_file = is_file

    def listing(self) -> Listing:
        """Return what lies there."""
        source = self._folder.source
        paths = [""] if self._is_file else sorted(self._folder.sizes())
        files = [file for path in paths if (file := self._file(path)) is not None]
        if not files:
            raise MissingWeights(f"there is nothing at {source}")
        return Listing(f"s3://{source.bucket}", tuple(files))

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file from an offset on."""
        return self._folder.read("" if self._is_file else file.path, offset, file.etag)

    def _file(self, path: str) -> RemoteFile | None:
        head = self._folder.head(path)
        if head is None:
            return None
        etag = head["ETag"].strip('"')
        # Of parts, or encrypted with a key of KMS, an ETag is no checksum.
        plain = head.get("ServerSideEncryption") in (None, "AES256") and "SSECustomerAlgorithm" not in head
        digest = f"md5:{etag}" if plain and _MD5.fullmatch(etag) else None
        name = path or self._folder.source.key.rpartition("/")[2]
        try:
            return RemoteFile(checked_path(name), head["ContentLength"], digest, etag)
        except ValueError as error:
            raise MissingWeights(f"{self._folder.source} holds a file of a dangerous name: {error}") from error


@lru_cache(maxsize=8)
def _client(environment: tuple[str | None, ...]) -> "S3Client":
    """Return the client for what the environment says; making one takes half a second."""
    if not any(environment[: len(_ENDPOINTS)]):
        client = _made("virtual")
        if _AMAZON.fullmatch(urlsplit(client.meta.endpoint_url).hostname or ""):
            return client
    # A bucket in the host name needs DNS entries that only Amazon's own endpoint surely has.
    return _made("path")


def _made(addressing: Literal["path", "virtual"]) -> "S3Client":
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": addressing},
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,
        read_timeout=60,
        # Other servers than Amazon's often don't know the newer checksum trailers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.session.Session()
    return session.client("s3", region_name=session.region_name or "us-east-1", config=config)
