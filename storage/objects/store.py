"""The protocol of every object store."""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from storage.objects.types import MIB, ObjectInfo, PresignedUpload
from storage.objects.writer import ObjectWriter


class ObjectStore(Protocol):
    """Objects by key. Methods block, may be called from any thread, and see only whole objects.

    Every method that takes a key raises ``InvalidKey`` for a bad one, and every method raises
    ``StorageUnavailable`` when the store can't serve it.
    """

    def ensure(self) -> None:
        """Make the bucket or the folder unless it exists."""
        ...

    def check(self) -> None:
        """Return when the store is in working order, else raise ``StorageUnavailable``."""
        ...

    def writer(self, key: str, *, content_type: str | None = None, limit: int | None = None) -> ObjectWriter:
        """Open a streaming writer; the object appears, whole, when its ``with`` block ends normally.

        Memory stays bounded whatever the object's size. More than ``limit`` bytes raise ``ObjectTooLarge``
        and leave nothing behind.
        """
        ...

    def put(self, key: str, data: bytes, *, content_type: str | None = None) -> ObjectInfo:
        """Write an object that is already in memory."""
        ...

    def get(self, key: str, *, limit: int = 64 * MIB) -> bytes:
        """Read a whole object.

        Raises:
            ObjectNotFound: No object has this key.
            ObjectTooLarge: It has more than ``limit`` bytes; none of them were read.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading and seeking, without loading it; one thread at a time.

        The bytes are those of one version: a directory goes on reading the old one after a replacement, S3
        raises ``ObjectChanged``.

        Raises:
            ObjectNotFound: No object has this key.
        """
        ...

    def iterate(self, key: str, start: int = 0, end: int | None = None, chunk: int = MIB) -> Iterator[bytes]:
        """Read bytes ``start`` to ``end`` (exclusive, the object's end by default) in chunks, for a download.

        A range that lies past the end yields what there is. The key is looked up at the call, not at the
        first chunk.

        Raises:
            ObjectNotFound: No object has this key.
        """
        ...

    def head(self, key: str) -> ObjectInfo:
        """Describe an object.

        Raises:
            ObjectNotFound: No object has this key.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; nothing happens when there is none."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object in a folder and return their number; the empty prefix is refused."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Describe the objects in a folder, in the order of their keys, without their content types."""
        ...

    def expire(self, prefix: str, *, older_than: datetime, keep: Container[str] = ()) -> int:
        """Delete the folder's objects that were last written before a time but those to keep; return their number.

        Uploads that were begun, or last written to, before that time and never finished are dropped too.
        """
        ...

    def presign_get(
        self, key: str, *, expires: timedelta, filename: str | None = None, content_type: str | None = None
    ) -> str:
        """Return a URL that downloads the object without credentials; the object's existence isn't checked.

        Args:
            key: The object.
            expires: How long the URL works, 1 second to 7 days.
            filename: The name under which a browser saves it.
            content_type: The media type of the answer, instead of the stored one.
        """
        ...

    def presign_put(
        self, key: str, *, expires: timedelta, content_type: str | None = None, max_bytes: int | None = None
    ) -> PresignedUpload:
        """Return a request that uploads the object without credentials."""
        ...
