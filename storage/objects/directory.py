"""Objects in a folder: for one machine, or for several that share a file system."""

import os
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from storage.objects import directory_sidecar as sidecar
from storage.objects.directory_secret import load_or_make
from storage.objects.directory_tree import (
    TEMPORARY_SUFFIX,
    Entry,
    Tree,
    create,
    means_missing,
    regular,
    temporary_name,
    translated,
)
from storage.objects.directory_writer import DirectoryWriter
from storage.objects.errors import InvalidKey, ObjectNotFound, ObjectTooLarge
from storage.objects.keys import checked_key, checked_prefix, is_key
from storage.objects.presigning import checked_lifetime
from storage.objects.reading import chunks
from storage.objects.settings import DirectorySettings
from storage.objects.signing import Grant, signed_url, verified
from storage.objects.types import MIB, ObjectInfo, PresignedUpload


class DirectoryObjectStore:
    """An ``ObjectStore`` over one folder, where each object is the plain file that its key names.

    Hidden files beside the objects hold their content types and what is being written; at the top lie a lock
    and the secret that signs URLs. No symbolic link inside the folder is followed. Unlike in S3, a key can't
    be an object and the folder of others at once: writing the second one raises ``InvalidKey``.

    Args:
        settings: The folder, and the ingress's public URL.
        clock: The time, for presigned URLs.
    """

    def __init__(
        self, settings: DirectorySettings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tree = Tree(settings.path.expanduser().absolute())
        self._public_url = settings.public_url
        self._clock = clock
        self._secret: bytes | None = None

    def ensure(self) -> None:
        """Make the folder unless it exists."""
        with translated():
            self._tree.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.check()

    def check(self) -> None:
        """Return when the folder takes a byte, else raise ``StorageUnavailable``."""
        with translated(), self._tree.folder(()) as root:
            name = temporary_name()
            descriptor = create(root, name)
            try:
                os.write(descriptor, b"\0")
            finally:
                os.close(descriptor)
                os.unlink(name, dir_fd=root)

    def writer(self, key: str, *, content_type: str | None = None, limit: int | None = None) -> DirectoryWriter:
        """Open a streaming writer; see ``ObjectStore.writer``."""
        return DirectoryWriter(self._tree, checked_key(key), content_type=content_type, limit=limit)

    def put(self, key: str, data: bytes, *, content_type: str | None = None) -> ObjectInfo:
        """Write an object that is already in memory."""
        with self.writer(key, content_type=content_type) as writer:
            writer.write(data)
        return writer.commit()

    def get(self, key: str, *, limit: int = 64 * MIB) -> bytes:
        """Read a whole object of at most ``limit`` bytes."""
        with self.open(key) as file, translated():
            if os.fstat(file.fileno()).st_size > limit:
                raise ObjectTooLarge(key, limit)
            return file.read()

    def open(self, key: str) -> BinaryIO:
        """Open an object's file; it stays the same one when the object is replaced or deleted."""
        folders, name = _split(key)
        with _looking_for(key), self._tree.folder(folders) as folder:
            regular(folder, name)
            return os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), "rb")

    def iterate(self, key: str, start: int = 0, end: int | None = None, chunk: int = MIB) -> Iterator[bytes]:
        """Read a range in chunks, for a download."""
        return chunks(self.open(key), start, end, chunk)

    def head(self, key: str) -> ObjectInfo:
        """Describe an object."""
        folders, name = _split(key)
        # Under the lock, so that file and sidecar are of the same write.
        with _looking_for(key), self._tree.locked(shared=True), self._tree.folder(folders) as folder:
            state = regular(folder, name)
            return sidecar.info(key, state, sidecar.load(folder, name, state))

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        folders, name = _split(key)
        self._remove(folders, name)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object in a folder and return their number."""
        if not prefix:
            raise InvalidKey("refusing to delete every object: name a folder")
        return sum(self._remove(entry.folder, entry.name) for entry in self._objects(prefix))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Describe the objects in a folder, in the order of their keys."""
        return (sidecar.info(_key(entry), entry.state, None) for entry in self._objects(prefix))

    def expire(self, prefix: str, *, older_than: datetime, keep: Container[str] = ()) -> int:
        """Delete a folder's old objects but those to keep, and drop the files unfinished since before that time."""
        limit = older_than.timestamp()
        count = 0
        for entry in self._entries(prefix):
            if entry.state.st_mtime >= limit:
                continue
            if is_key(key := _key(entry)):
                count += key not in keep and self._remove(entry.folder, entry.name, before=limit)
            elif entry.name.endswith(TEMPORARY_SUFFIX):
                self._remove(entry.folder, entry.name, before=limit)
            elif entry.name.endswith(sidecar.SUFFIX):
                self._remove_widowed(entry)
        return count

    def presign_get(
        self, key: str, *, expires: timedelta, filename: str | None = None, content_type: str | None = None
    ) -> str:
        """Return a URL that downloads the object without credentials."""
        grant = Grant(max_bytes=None, content_type=content_type, filename=filename)
        return self._presign(key, "GET", expires, grant)[0]

    def presign_put(
        self, key: str, *, expires: timedelta, content_type: str | None = None, max_bytes: int | None = None
    ) -> PresignedUpload:
        """Return a request that uploads the object without credentials."""
        grant = Grant(max_bytes=max_bytes, content_type=content_type, filename=None)
        url, expires_at = self._presign(key, "PUT", expires, grant)
        headers = {} if content_type is None else {"Content-Type": content_type}
        return PresignedUpload(url=url, method="PUT", headers=headers, expires_at=expires_at, max_bytes=max_bytes)

    def verify(self, key: str, params: Mapping[str, str], method: str, *, now: datetime) -> Grant:
        """Return the request that a presigned URL of this store allows.

        Args:
            key: The key from the URL's path, decoded.
            params: The URL's query parameters, decoded.
            method: ``GET`` or ``PUT``.
            now: The time.

        Raises:
            InvalidSignature: The URL is incomplete, altered, or meant for another key or method.
            Expired: Its time has passed.
        """
        return verified(self._signing_secret(), checked_key(key), params, method, now)

    def _presign(self, key: str, method: str, expires: timedelta, grant: Grant) -> tuple[str, datetime]:
        expires_at = (self._clock() + checked_lifetime(expires)).replace(microsecond=0)
        url = signed_url(self._signing_secret(), self._public_url, checked_key(key), method, expires_at, grant)
        return url, expires_at

    def _signing_secret(self) -> bytes:
        if self._secret is None:
            with translated():
                self._secret = load_or_make(self._tree)
        return self._secret

    def _entries(self, prefix: str) -> Iterator[Entry]:
        folders = tuple(checked_prefix(prefix).split("/")[:-1])
        return self._walk(folders)

    def _walk(self, folders: tuple[str, ...]) -> Iterator[Entry]:
        with translated():
            yield from self._tree.walk(folders)

    def _objects(self, prefix: str) -> Iterator[Entry]:
        return (entry for entry in self._entries(prefix) if is_key(_key(entry)))

    def _remove(self, folders: tuple[str, ...], name: str, *, before: float | None = None) -> bool:
        """Remove a file with its sidecar and the folders that it leaves empty; tell whether it was there.

        With ``before``, a file written since then stays.
        """
        with translated(), self._tree.locked():
            try:
                with self._tree.folder(folders) as folder:
                    state = regular(folder, name)
                    if before is not None and state.st_mtime >= before:
                        return False
                    os.unlink(name, dir_fd=folder)
                    sidecar.remove(folder, name)
            except OSError as error:
                if means_missing(error):
                    return False
                raise
            self._tree.prune(folders)
            return True

    def _remove_widowed(self, entry: Entry) -> None:
        """Remove a sidecar whose object is gone."""
        with translated(), self._tree.locked():
            try:
                with self._tree.folder(entry.folder) as folder:
                    try:
                        regular(folder, sidecar.owner_of(entry.name))
                        return
                    except FileNotFoundError:
                        os.unlink(entry.name, dir_fd=folder)
            except OSError as error:
                if means_missing(error):
                    return
                raise
            self._tree.prune(entry.folder)


@contextmanager
def _looking_for(key: str) -> Iterator[None]:
    with translated():
        try:
            yield
        except OSError as error:
            if means_missing(error):
                raise ObjectNotFound(key) from error
            raise


def _split(key: str) -> tuple[tuple[str, ...], str]:
    *folders, name = checked_key(key).split("/")
    return tuple(folders), name


def _key(entry: Entry) -> str:
    return "/".join((*entry.folder, entry.name))
