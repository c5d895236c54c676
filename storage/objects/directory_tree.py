"""A folder tree reached through file descriptors, so that no symbolic link in it is ever followed."""

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.objects.errors import StorageUnavailable

LOCK_NAME = ".lock"
TEMPORARY_SUFFIX = ".part"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_NEEDS_OPERATOR = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR})


@dataclass(frozen=True)
class Entry:
    """A regular file in the tree: its folder's segments, its name, and its state."""

    folder: tuple[str, ...]
    name: str
    state: os.stat_result


@contextmanager
def translated() -> Iterator[None]:
    """Raise ``StorageUnavailable`` in place of the operating system's errors."""
    try:
        yield
    except OSError as error:
        raise _unavailable(error, "the object folder failed") from error


def _unavailable(error: OSError, what: str) -> StorageUnavailable:
    number = error.errno or 0
    return StorageUnavailable(
        f"{what}: {os.strerror(number)}",
        code=errno.errorcode.get(number),
        retryable=number not in _NEEDS_OPERATOR,
    )


def means_missing(error: OSError) -> bool:
    """Tell whether an error means that there is no such file, or only one behind a symbolic link."""
    return error.errno in _NO_FOLDER


class Tree:
    """The folders and regular files under a root. Raises ``OSError`` unless it says otherwise."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the tree's lock, among all threads and processes; only for a few quick steps."""
        with self._root() as root:
            lock = os.open(LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def folder(self, segments: tuple[str, ...]) -> Iterator[int]:
        """Yield a descriptor of a folder, for the block."""
        descriptor = self.open_folder(segments)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def open_folder(self, segments: tuple[str, ...], *, create: bool = False) -> int:
        """Return a descriptor of a folder; the caller closes it.

        Raises:
            StorageUnavailable: The root itself can't be opened.
        """
        with self._root() as root:
            current = os.dup(root)
        for segment in segments:
            try:
                following = _step(current, segment, create)
            finally:
                os.close(current)
            current = following
        return current

    def prune(self, segments: tuple[str, ...]) -> None:
        """Remove a folder and those above it as far as they are empty; the caller holds the lock."""
        for depth in range(len(segments), 0, -1):
            try:
                with self.folder(segments[: depth - 1]) as parent:
                    os.rmdir(segments[depth - 1], dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                if not means_missing(error):
                    raise

    def walk(self, segments: tuple[str, ...] = ()) -> Iterator[Entry]:
        """Yield the regular files under a folder, hidden ones too, in the order of their paths."""
        try:
            descriptor = self.open_folder(segments)
        except OSError as error:
            if means_missing(error):
                return
            raise
        try:
            yield from _walk(descriptor, segments)
        finally:
            os.close(descriptor)

    @contextmanager
    def _root(self) -> Iterator[int]:
        try:
            root = os.open(self.root, _FOLDER)
        except OSError as error:
            raise _unavailable(error, f"the object folder {self.root} can't be opened") from error
        try:
            yield root
        finally:
            os.close(root)


def regular(descriptor: int, name: str) -> os.stat_result:
    """Return the state of a regular file in an open folder, else raise ``FileNotFoundError``."""
    state = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if not stat.S_ISREG(state.st_mode):
        raise FileNotFoundError(errno.ENOENT, "not a regular file", name)
    return state


def temporary_name() -> str:
    """Return a new name for a file in the making."""
    return f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"


def create(folder: int, name: str) -> int:
    """Create a new file that only its owner may read, and return its descriptor."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=folder)


def write_file(folder: int, name: str, data: bytes) -> None:
    """Replace a small file of an open folder, durably and as a whole."""
    temporary = temporary_name()
    with os.fdopen(create(folder, temporary), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def _step(folder: int, segment: str, create: bool) -> int:
    try:
        return os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        if not create:
            raise
    os.mkdir(segment, 0o700, dir_fd=folder)
    os.fsync(folder)
    return os.open(segment, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)


def _walk(folder: int, segments: tuple[str, ...]) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        # With its slash a folder sorts as the keys inside it do.
        names = sorted(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in found)
    for name in names:
        try:
            if not name.endswith("/"):
                yield Entry(segments, name, regular(folder, name))
                continue
            child = os.open(name[:-1], _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            if means_missing(error):  # gone meanwhile, or no regular file
                continue
            raise
        try:
            yield from _walk(child, (*segments, name[:-1]))
        finally:
            os.close(child)
