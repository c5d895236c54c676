"""Files that a film is written to. PyAV writes no trailer to one whose ``closed`` is true."""

import os
from typing import BinaryIO


class Pipe:
    """A write-only buffer that is drained while the film grows, for streaming."""

    def __init__(self) -> None:
        self.closed = False
        self._data = bytearray()

    def write(self, data: bytes, /) -> int:
        """Add bytes."""
        self._data += data
        return len(data)

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        self.write(data)

    def take(self) -> bytes:
        """Return the bytes that were added since the last call."""
        data = bytes(self._data)
        self._data.clear()
        return data


class SharedFile:
    """A file that several handles read and write, each at a position of its own.

    FFmpeg moves a film's index to the front through a second handle on the file that it has open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.closed = False
        self._file = file
        self._position = 0

    def open(self) -> "SharedFile":
        """Return another handle, at the beginning."""
        return SharedFile(self._file)

    def read(self, count: int) -> bytes:
        """Read up to ``count`` bytes."""
        self._file.seek(self._position)
        data = self._file.read(count)
        self._position += len(data)
        return data

    def write(self, data: bytes, /) -> int:
        """Write bytes."""
        self._file.seek(self._position)
        self._file.write(data)
        self._position += len(data)
        return len(data)

    def append(self, data: bytes) -> None:
        """Write bytes at the end of the file."""
        self.seek(0, os.SEEK_END)
        self.write(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as files do."""
        if whence == os.SEEK_END:
            self._position = self._file.seek(offset, whence)
        else:
            self._position = offset + (self._position if whence == os.SEEK_CUR else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position
