"""Byte source that FFmpeg reads a recording from."""

import os
from typing import BinaryIO

BLOCK_BYTES = 256 * 1024
"""One read of the source: large, because a source may be an object store a round trip away."""


class ByteSource:
    """A seekable file shown to FFmpeg so that the file sees few, large and useful requests.

    Seeks cost nothing until a read needs them, the first block is read once and kept, and the file's name is
    not shown, so it can't sway the choice of format. A failure of the file itself ends the data and is kept
    in ``failure``: it must reach the caller as it is, not as a verdict on the recording.
    """

    def __init__(self, file: BinaryIO, size: int | None = None) -> None:
        self._file = file
        self._file_position: int | None = None
        self._position = 0
        self.failure: Exception | None = None
        self.size = file.seek(0, os.SEEK_END) if size is None else size
        self.head = b""
        self.head = self.read_at(0, BLOCK_BYTES)
        self.raise_failure()

    @property
    def fraction(self) -> float:
        """Share of the file before the current position, 0 to 1."""
        return min(1.0, self._position / self.size) if self.size else 1.0

    def read_at(self, position: int, count: int) -> bytes:
        """Read elsewhere without moving the position; fewer bytes than asked only at the end."""
        here, self._position = self._position, position
        data = b""
        while len(data) < count and (more := self.read(count - len(data))):
            data += more
        self._position = here
        return data

    def read(self, count: int) -> bytes:
        """Read up to ``count`` bytes; none at the end or after a failure."""
        if self.failure is not None:
            return b""
        data = self.head[self._position : self._position + count] or self._read_file(count)
        self._position += len(data)
        return data

    def _read_file(self, count: int) -> bytes:
        try:
            if self._file_position != self._position:
                self._file.seek(self._position)
            data = bytes(self._file.read(count))
            if len(data) > count:  # PyAV copies without looking into a buffer of ``count`` bytes
                raise ValueError(f"the source returned {len(data)} bytes where {count} were asked for")
        except Exception as error:
            self.failure = error
            return b""
        self._file_position = self._position + len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def raise_failure(self) -> None:
        """Raise what the file raised, if it did."""
        if self.failure is not None:
            raise self.failure
