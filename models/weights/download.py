"""Resumable downloads."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from models.errors import MissingWeights
from models.weights.digests import matches
from models.weights.origins import ConnectionLost, Origin, RemoteFile

TRIES = 5
"""Tries in a row that bring nothing, before a download is given up."""

_LONGEST_PAUSE_S = 8.0


def part_of(target: Path) -> Path:
    """Return where a file lies while it is incomplete."""
    return target.with_name(f"{target.name}.part")


def download(
    origin: Origin,
    file: RemoteFile,
    target: Path,
    advances: Callable[[int], None],
    *,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch a file, after what is there of it; it has its name when it is whole and checked, never before.

    Args:
        origin: Where from.
        file: Which.
        target: Where to.
        advances: Told of bytes as they come.
        pause: Waits so many seconds.

    Raises:
        MissingWeights: The origin does not give it, or gives something else than it promised.
        ConnectionLost: The connection broke again and again.
    """
    part = part_of(target)
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    with part.open("ab") as opened:
        while (offset := opened.tell()) < file.size:
            try:
                for block in origin.read(file, offset):
                    opened.write(block)
                    advances(len(block))
                reason = "the answer ended early"
            except ConnectionLost as error:
                reason = str(error)
            if opened.tell() >= file.size:
                break
            failures = 0 if opened.tell() > offset else failures + 1
            if failures == TRIES:
                raise ConnectionLost(f"{file.path} did not come: {reason}")
            pause(min(2.0**failures, _LONGEST_PAUSE_S))
        opened.flush()
        os.fsync(opened.fileno())
    _check(file, part)
    part.replace(target)


def _check(file: RemoteFile, part: Path) -> None:
    size = part.stat().st_size
    fault = None
    if size != file.size:
        fault = f"{size} bytes instead of {file.size}"
    elif file.digest and not matches(part, file.digest):
        fault = f"another checksum than {file.digest}"
    if fault:
        part.unlink()
        raise MissingWeights(f"{file.path} came with {fault}; it was thrown away")
