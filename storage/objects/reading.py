"""Reading an object in pieces, the same for every store."""

from collections.abc import Iterator
from typing import BinaryIO


def chunks(source: BinaryIO, start: int, end: int | None, chunk: int) -> Iterator[bytes]:
    """Yield the bytes from ``start`` to ``end`` of an open object in chunks, then close it."""
    if start < 0 or chunk < 1 or (end is not None and end < start):
        source.close()
        raise ValueError("a range needs 0 <= start <= end and chunks of a byte or more")
    return _chunks(source, start, end, chunk)


def _chunks(source: BinaryIO, start: int, end: int | None, chunk: int) -> Iterator[bytes]:
    with source:
        position = source.seek(start)
        while end is None or position < end:
            data = source.read(chunk if end is None else min(chunk, end - position))
            if not data:
                return
            position += len(data)
            yield data
