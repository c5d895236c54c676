"""Folders of this machine that weights are copied from."""

from collections.abc import Iterator
from pathlib import Path

from models.errors import MissingWeights
from models.weights.origins import Listing, RemoteFile

_BLOCK = 1 << 20


class FolderOrigin:
    """A folder; see ``models.weights.origins.Origin``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listing(self) -> Listing:
        """Return what lies in it."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        if not files:
            raise MissingWeights(f"there is no folder {self._folder} with files")
        described = (RemoteFile(path.relative_to(self._folder).as_posix(), path.stat().st_size) for path in files)
        return Listing(str(self._folder), tuple(described))

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file from an offset on."""
        try:
            with (self._folder / file.path).open("rb") as opened:
                opened.seek(offset)
                while block := opened.read(_BLOCK):
                    yield block
        except OSError as error:
            raise MissingWeights(f"{self._folder / file.path} can't be read: {error.strerror}") from error
