"""Writing an object piece by piece."""

import logging
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from storage.objects.errors import ObjectTooLarge, StorageError
from storage.objects.types import ObjectInfo

logger = logging.getLogger(__name__)


class ObjectWriter(ABC):
    """An object in the making, for one thread: invisible until it is committed, then there as a whole.

    Use it as a context manager: a normal end commits, an exception aborts. ``commit`` may be called inside
    the block, or after it, to get the object's description.

    Attributes:
        key: The object's key.
        size: Bytes written so far.
    """

    def __init__(self, key: str, limit: int | None) -> None:
        self.key = key
        self.size = 0
        self._limit = limit
        self._info: ObjectInfo | None = None
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes and return their number; any error aborts the object.

        Raises:
            ObjectTooLarge: The object would become larger than its limit.
            StorageUnavailable: The store failed.
        """
        if not self._open:
            raise ValueError("the object is committed or aborted already")
        view = memoryview(data).cast("B")
        try:
            if self._limit is not None and self.size + len(view) > self._limit:
                raise ObjectTooLarge(self.key, self._limit)
            self._write(view)
        except BaseException:
            self.abort()
            raise
        self.size += len(view)
        return len(view)

    def commit(self) -> ObjectInfo:
        """Make the object visible and describe it; a second call only describes it again.

        Raises:
            StorageUnavailable: The store failed; the object is aborted.
        """
        if self._info is None:
            if not self._open:
                raise ValueError("the object is aborted already")
            try:
                self._info = self._commit()
            except BaseException:
                self.abort()
                raise
            self._open = False
        return self._info

    def abort(self) -> None:
        """Drop what was written; nothing happens after a commit.

        When the store fails at this too, the leftover waits for ``ObjectStore.expire``.
        """
        if not self._open:
            return
        self._open = False
        try:
            self._abort()
        except StorageError as error:
            logger.warning("an aborted upload of %s is left to expiry: %s", self.key, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif self._open:
            self.commit()

    @abstractmethod
    def _write(self, data: memoryview) -> None: ...

    @abstractmethod
    def _commit(self) -> ObjectInfo: ...

    @abstractmethod
    def _abort(self) -> None: ...
