"""Writing an object of a directory: a hidden temporary file beside its place, then one rename."""

import errno
import io
import os
import stat
from contextlib import suppress

from storage.objects import directory_sidecar as sidecar
from storage.objects.directory_tree import Tree, create, temporary_name, translated
from storage.objects.errors import InvalidKey
from storage.objects.types import ObjectInfo
from storage.objects.writer import ObjectWriter


class DirectoryWriter(ObjectWriter):
    """Writes a temporary file; the commit makes it durable and gives it the object's name at once."""

    def __init__(self, tree: Tree, key: str, *, content_type: str | None, limit: int | None) -> None:
        super().__init__(key, limit)
        self._tree = tree
        self._content_type = content_type
        *folders, self._name = key.split("/")
        self._segments = tuple(folders)
        self._temporary = temporary_name()
        with translated(), tree.locked():
            self._folder = self._make_folder()
            try:
                self._file = io.FileIO(create(self._folder, self._temporary), "w")
            except BaseException:
                os.close(self._folder)
                raise

    def _make_folder(self) -> int:
        try:
            return self._tree.open_folder(self._segments, create=True)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise InvalidKey(f"{self.key!r} would lie inside an object, or behind a link") from error
            raise

    def _write(self, data: memoryview) -> None:
        with translated():
            while data:
                data = data[self._file.write(data) :]

    def _commit(self) -> ObjectInfo:
        with translated():
            os.fsync(self._file.fileno())
            state = os.fstat(self._file.fileno())
            self._file.close()
            with self._tree.locked():
                self._refuse_folder()
                # The sidecar goes first: it names the file it belongs to, so it stays without effect
                # should the machine stop between the two.
                sidecar.store(self._folder, self._name, state, self._content_type)
                os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            os.fsync(self._folder)
        os.close(self._folder)
        return sidecar.info(self.key, state, self._content_type)

    def _refuse_folder(self) -> None:
        with suppress(FileNotFoundError):
            state = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
            if stat.S_ISDIR(state.st_mode):
                raise InvalidKey(f"{self.key!r} is a folder of other objects")

    def _abort(self) -> None:
        with translated():
            self._file.close()
            with suppress(FileNotFoundError):
                os.unlink(self._temporary, dir_fd=self._folder)
            os.close(self._folder)
            with self._tree.locked():
                self._tree.prune(self._segments)
