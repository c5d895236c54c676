"""Manifests of the weights in the cache and the mirror."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, ValidationError

from models.settings import Settings
from models.weights.digests import sha256_of
from models.weights.sources import checked_path

FORMAT = 1


class ManifestFile(Settings):
    """One file."""

    path: Annotated[str, AfterValidator(checked_path)]
    size: NonNegativeInt
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    etag: str | None = None


class Manifest(Settings):
    """Weights with where they come from.

    Attributes:
        reference: The URI that they were asked for by.
        source: The server that they came from.
        revision: The commit that they came from, where there is one.
        licence: As the source states it.
        fetched: When they came from the source, in UTC.
        converted: They were made here of the source's checkpoint.
    """

    format: int = Field(FORMAT, ge=FORMAT, le=FORMAT)
    reference: str
    source: str
    revision: str | None = None
    licence: str | None = None
    fetched: datetime
    converted: bool = False
    files: tuple[ManifestFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @classmethod
    def read(cls, path: Path) -> "Manifest | None":
        """Read a file; None where there is none, or it is not a manifest of this format."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def has_sizes_of(self, folder: Path) -> bool:
        """Tell whether all files are there in full length; the cheap check of each start."""
        try:
            return all((folder / file.path).stat().st_size == file.size for file in self.files)
        except OSError:
            return False

    def faults(self, folder: Path) -> list[str]:
        """Return the paths of the files that are not there or have another content; reads them all."""
        return [file.path for file in self.files if not _is(folder / file.path, file)]


def _is(place: Path, file: ManifestFile) -> bool:
    return place.is_file() and place.stat().st_size == file.size and sha256_of(place) == file.sha256
