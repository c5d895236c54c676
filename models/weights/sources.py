"""Sources of weights, parsed from their names.

``set://name``, ``hf://owner/name@revision/path/inside``, ``s3://bucket/prefix``, ``file:///absolute/path``, or a path.
A revision with a slash in it is written with ``%2F``.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_REPOSITORY = re.compile(rf"({_NAME}/{_NAME})(?:@([A-Za-z0-9._%-]+))?")
_SET = re.compile(r"[a-z0-9][a-z0-9._-]{0,95}")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class HubSource:
    """A model on the Hugging Face Hub.

    Attributes:
        repository: ``owner/name``.
        revision: Commit, tag or branch; None for the main branch.
        inside: A folder or file of the repository; empty for all of it.
    """

    repository: str
    revision: str | None = None
    inside: str = ""

    def __str__(self) -> str:
        revision = f"@{quote(self.revision, safe='')}" if self.revision else ""
        return f"hf://{self.repository}{revision}" + (f"/{self.inside}" if self.inside else "")


@dataclass(frozen=True)
class S3Source:
    """A folder or file in a bucket; the key has no slash at its ends, and is empty for the whole bucket."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")


@dataclass(frozen=True)
class SetSource:
    """A named set of ``models.weights.catalogue``.

    Attributes:
        name: Of the set.
        inside: A folder or file of it; empty for all of it.
    """

    name: str
    inside: str = ""

    def __str__(self) -> str:
        return f"set://{self.name}" + (f"/{self.inside}" if self.inside else "")


@dataclass(frozen=True)
class LocalSource:
    """A folder or file of this machine, used where it lies."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Source = HubSource | S3Source | SetSource | LocalSource


def has_scheme(name: str) -> bool:
    """Tell whether a name is a URI, well formed or not."""
    return _SCHEME.match(name) is not None


def parse_uri(uri: str) -> Source:
    """Read a URI.

    Raises:
        ValueError: Its scheme is unknown, or it is not well formed; the message does not repeat it.
    """
    scheme, _, rest = uri.partition("://")
    authority, _, path = rest.partition("/")
    if "@" in authority:
        raise ValueError("must not carry credentials: they come from the environment")
    if "?" in rest or "#" in rest:
        raise ValueError("must have no query and no fragment")
    match scheme:
        case "set":
            return _set(authority, path)
        case "hf":
            return _hub(rest)
        case "s3":
            return _s3(authority, path)
        case "file":
            return _file(authority, f"/{path}")
    raise ValueError("weights are named by set://name, hf://owner/name, s3://bucket/prefix, file:///path or a path")


def parse_repository(name: str) -> HubSource | None:
    """Read ``owner/name`` or ``owner/name@revision``; None where it is something else."""
    found = _REPOSITORY.fullmatch(name)
    # The Hub knows no such names, and caches keep the parts of a name apart with them.
    if found is None or "--" in found[1] or ".." in name:
        return None
    return HubSource(found[1], unquote(found[2]) if found[2] else None)


def checked_path(path: str) -> str:
    """Return the path of a file below some folder, with slashes.

    Raises:
        ValueError: It would leave the folder.
    """
    if _UNSAFE.search(path) or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{path!r} is not a path below a folder")
    return path


def _hub(rest: str) -> HubSource:
    owner, _, more = rest.partition("/")
    name, _, inside = more.partition("/")
    repository = parse_repository(f"{owner}/{name}")
    if repository is None:
        raise ValueError("must be hf://owner/name, with @revision and /path/inside where they are wanted")
    inside = inside.rstrip("/")
    return HubSource(repository.repository, repository.revision, checked_path(inside) if inside else "")


def _set(name: str, path: str) -> SetSource:
    inside = path.rstrip("/")
    if not _SET.fullmatch(name):
        raise ValueError("must be set://name, with /path/inside where it is wanted")
    return SetSource(name, checked_path(inside) if inside else "")


def _s3(bucket: str, path: str) -> S3Source:
    key = path.rstrip("/")
    if not _BUCKET.fullmatch(bucket):
        raise ValueError("must be s3://bucket/prefix")
    return S3Source(bucket, checked_path(key) if key else "")


def _file(host: str, path: str) -> LocalSource:
    if host not in ("", "localhost"):
        raise ValueError("must be file:///absolute/path, of this machine")
    decoded = unquote(path).rstrip("/")
    checked_path(decoded.removeprefix("/"))
    return LocalSource(Path(decoded))
