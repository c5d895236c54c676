"""Sidecar files of a directory's objects, which keep their content types.

The sidecar of ``talk.mp3`` is ``.talk.mp3.json``. It names the file it was written for by size and time, which
a backup keeps, so a sidecar that outlived its object, or is damaged, counts as absent. An object without a content
type has none.
"""

import json
import os
from contextlib import suppress
from datetime import UTC, datetime

from storage.objects.directory_tree import means_missing, write_file
from storage.objects.types import ObjectInfo

SUFFIX = ".json"
_LONGEST = 16 * 1024


def etag(state: os.stat_result) -> str:
    """Return the entity tag of an object's file, which differs from that of every other version."""
    return f"{state.st_ino:x}-{state.st_mtime_ns:x}-{state.st_size:x}"


def info(key: str, state: os.stat_result, content_type: str | None) -> ObjectInfo:
    """Return the description of an object's file."""
    modified = datetime.fromtimestamp(state.st_mtime, UTC)
    return ObjectInfo(key, state.st_size, content_type, modified, etag(state))


def name_of(name: str) -> str:
    """Return the name of an object's sidecar."""
    return f".{name}{SUFFIX}"


def owner_of(hidden: str) -> str:
    """Return the name of the object that a sidecar describes."""
    return hidden.removeprefix(".").removesuffix(SUFFIX)


def store(folder: int, name: str, state: os.stat_result, content_type: str | None) -> None:
    """Write or remove the sidecar of an object whose file has this state."""
    if content_type is None:
        remove(folder, name)
        return
    text = json.dumps({**_identity(state), "content_type": content_type})
    write_file(folder, name_of(name), text.encode())


def load(folder: int, name: str, state: os.stat_result) -> str | None:
    """Return the content type of the object whose file has this state, None when it has none."""
    try:
        descriptor = os.open(name_of(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if means_missing(error):
            return None
        raise
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(_LONGEST)
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not _identity(state).items() <= found.items():
        return None
    content_type = found.get("content_type")
    return content_type if isinstance(content_type, str) else None


def remove(folder: int, name: str) -> None:
    """Remove an object's sidecar, if it has one."""
    with suppress(FileNotFoundError):
        os.unlink(name_of(name), dir_fd=folder)


def _identity(state: os.stat_result) -> dict[str, int]:
    return {"size": state.st_size, "modified_ns": state.st_mtime_ns}
