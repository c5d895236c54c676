"""Settings of the object store: an S3 bucket or a folder."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from storage.objects.keys import checked_prefix
from storage.settings import Settings

_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"
"""Stands for a value that the environment holds; whoever builds the store fills it in first."""


def _http_url(url: str) -> str:
    """Return an HTTP origin (with an optional path) without its last slash, or raise ``ValueError``."""
    if re.fullmatch(_VARIABLE, url):
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http:// or https:// URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or a password: credentials come from the environment")
    if parts.query or parts.fragment:
        raise ValueError("must not have a query or a fragment")
    return url.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class S3Settings(Settings):
    """A bucket of Amazon S3, MinIO or another server with the S3 API.

    Credentials are never settings: they come from the environment through boto3's default chain
    (``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, a profile, or the machine's role).
    """

    kind: Literal["s3"] = "s3"
    bucket: str = Field(
        pattern=rf"^([a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]|{_VARIABLE})$", description="The bucket's name."
    )
    endpoint_url: HttpUrl | None = Field(
        default=None, description="The server's URL, such as http://minio:9000; Amazon S3 when unset."
    )
    public_endpoint_url: HttpUrl | None = Field(
        default=None,
        description="The server's URL as clients see it, for presigned URLs; endpoint_url when unset.",
    )
    region: str = Field(default="us-east-1", min_length=1, description="The bucket's region.")
    prefix: Annotated[str, AfterValidator(checked_prefix)] = Field(
        default="", description="The folder inside the bucket that holds every key."
    )
    addressing: Literal["auto", "path", "virtual"] = Field(
        default="auto",
        description="Bucket in the path or the host name; auto: path when endpoint_url is set, else virtual.",
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, description="Longest wait for a connection.")
    read_timeout_s: float = Field(default=60.0, gt=0, description="Longest silence of the server in an answer.")
    max_attempts: int = Field(default=4, ge=1, le=20, description="Tries of one request, the first included.")
    max_connections: int = Field(default=32, ge=1, description="Connections kept open by one process.")


class DirectorySettings(Settings):
    """A folder of this machine or of a file system that all machines share."""

    kind: Literal["directory"] = "directory"
    path: Path = Field(description="The folder; made when it does not exist.")
    public_url: HttpUrl | Literal[""] = Field(
        default="", description="The ingress as clients see it, for presigned URLs; relative URLs when empty."
    )


ObjectsSettings = Annotated[S3Settings | DirectorySettings, Field(discriminator="kind")]
"""The settings of one object store, told apart by ``kind``."""
