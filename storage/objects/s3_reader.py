"""Reading an S3 object at any position without downloading it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.objects.types import MIB

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FIRST_BLOCK = 1 * MIB
LARGEST_BLOCK = 4 * MIB
KEPT_BLOCKS = 2
"""Enough for a container whose reader alternates between its index and its samples."""


@dataclass(frozen=True)
class _Block:
    start: int
    data: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class BlockReader(io.RawIOBase):
    """A seekable file over ranged requests.

    Each miss fetches one block whole, so no connection is held while the caller works on the bytes. A block
    that follows on a kept one, or begins a little after it, replaces it and is twice as long, up to 4 MiB;
    other blocks have 1 MiB. At most two blocks are kept.

    Args:
        size: The object's size in bytes.
        fetch: Returns the bytes from its first argument to its second, exclusive.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self._size = size
        self._fetch = fetch
        self._position = 0
        self._blocks: list[_Block] = []  # the last one was used last

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move without any request, past the end too, as files do."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position must not be negative")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer as far as the block at this position goes."""
        target = memoryview(buffer).cast("B")
        if self._position >= self._size or not target:
            return 0
        block = self._block_at(self._position)
        begin = self._position - block.start
        count = min(len(target), len(block.data) - begin)
        target[:count] = memoryview(block.data)[begin : begin + count]
        self._position += count
        return count

    def close(self) -> None:
        """Release the blocks."""
        self._blocks.clear()
        super().close()

    def _block_at(self, position: int) -> _Block:
        for index, block in enumerate(self._blocks):
            if block.start <= position < block.end:
                self._blocks.append(self._blocks.pop(index))
                return block
        length = FIRST_BLOCK
        for index, block in enumerate(self._blocks):
            if block.end <= position < block.end + FIRST_BLOCK:
                length = min(2 * max(len(block.data), FIRST_BLOCK), LARGEST_BLOCK)
                del self._blocks[index]
                break
        else:
            del self._blocks[: len(self._blocks) - KEPT_BLOCKS + 1]
        block = _Block(position, self._fetch(position, min(position + length, self._size)))
        self._blocks.append(block)
        return block
