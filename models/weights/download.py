"""Resumable downloads."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import AlteredWeights, MissingWeights
from models.weights.digests import digest_of
from models.weights.origins import ConnectionLost, Origin, RemoteFile
from models.weights.progress import Progress

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
        MissingWeights: The origin does not give it.
        AlteredWeights: It gives something else than it promised.
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


def fetch_files(origin: Origin, files: Sequence[RemoteFile], folder: Path, name: str, progress: Progress) -> None:
    """Fetch files into a folder, after what is there of them.

    Args:
        origin: Where from.
        files: Which.
        folder: Gets them.
        name: What is fetched, for the progress.
        progress: Told how it goes.

    Raises:
        MissingWeights: There is no room for them, or the origin does not give one.
        AlteredWeights: It gives something else than it promised.
        ConnectionLost: The connection broke again and again.
    """
    size = sum(file.size for file in files)
    done = sum(_done(folder / file.path) for file in files)
    folder.mkdir(exist_ok=True)
    check_room(folder, size - done)
    progress.begins(name, size, done)
    for file in files:
        target = folder / file.path
        if not target.is_file():
            download(origin, file, target, progress.advances)


def check_room(folder: Path, size: int) -> None:
    """Check that the disk of a folder has room for so many bytes.

    Raises:
        MissingWeights: It has not.
    """
    if (free := shutil.disk_usage(folder).free) < size:
        raise MissingWeights(f"they take {size:,} bytes more, and {folder} has room for {free:,}")


def _done(target: Path) -> int:
    for path in (target, part_of(target)):
        if path.is_file():
            return path.stat().st_size
    return 0


def _check(file: RemoteFile, part: Path) -> None:
    size = part.stat().st_size
    fault = None
    if size != file.size:
        fault = f"{size} bytes instead of {file.size}"
    elif file.digest and (digest := digest_of(part, file.digest.partition(":")[0])) != file.digest:
        fault = f"another checksum than {file.digest}: {digest}"
    if fault:
        part.unlink()
        raise AlteredWeights(f"{file.path} came with {fault}; it was thrown away")
