"""The mirror: a folder in S3 with the entries of a cache, from which new nodes fill theirs.

s3://bucket/prefix/<entry>/manifest.json     written last: what it names is there
s3://bucket/prefix/<entry>/content/...
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from models.errors import MissingWeights
from models.weights.cache import CONTENT, MANIFEST, Entry
from models.weights.manifest import Manifest, ManifestFile
from models.weights.origins import Listing, RemoteFile
from models.weights.s3 import S3Folder
from models.weights.sources import S3Source, has_scheme, parse_uri

VARIABLE = "VOICEGRAPH_WEIGHTS_MIRROR"


def mirror_folder() -> S3Source | None:
    """Return where the mirror is; None where there is none.

    Raises:
        MissingWeights: The environment names something else than a folder in S3.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    try:
        source = parse_uri(name) if has_scheme(name) else None
    except ValueError as error:
        raise MissingWeights(f"{VARIABLE} {error}") from error
    if not isinstance(source, S3Source):
        raise MissingWeights(f"{VARIABLE} must be s3://bucket/prefix")
    return source


class MirrorOrigin:
    """One entry of the mirror; see ``models.weights.origins.Origin``."""

    def __init__(self, mirror: S3Source, entry: Entry) -> None:
        self._folder = S3Folder(S3Source(mirror.bucket, f"{mirror.key}/{entry.name}".lstrip("/")))

    def manifest(self) -> Manifest | None:
        """Return what the mirror has; None where it has not got it.

        Raises:
            MissingWeights: The mirror can't be read, or holds something else there.
            ConnectionLost: It can't be reached.
        """
        content = self._folder.content(MANIFEST)
        if content is None:
            return None
        try:
            return Manifest.model_validate_json(content)
        except ValidationError as error:
            raise MissingWeights(f"{self._folder.source}/{MANIFEST} is not a manifest of this version") from error

    def listing(self) -> Listing:
        """Return what the mirror has of the entry."""
        manifest = self.manifest()
        if manifest is None:
            raise MissingWeights(f"the mirror has no {self._folder.source}")
        files = tuple(RemoteFile(file.path, file.size, f"sha256:{file.sha256}") for file in manifest.files)
        return Listing(manifest.source, files, manifest.revision, manifest.licence, manifest.converted)

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a file from an offset on."""
        return self._folder.read(f"{CONTENT}/{file.path}", offset, None)

    def push(self, content: Path, manifest: Manifest, advances: Callable[[int], None]) -> int:
        """Write what the mirror lacks, and the manifest last.

        Args:
            content: The folder with the files.
            manifest: Describes them.
            advances: Told of bytes as they are written.

        Returns:
            How many files were written.

        Raises:
            MissingWeights: The mirror can't be written.
            ConnectionLost: It can't be reached.
        """
        written = 0
        for file in manifest.files:
            if self._has(file):
                advances(file.size)
                continue
            self._folder.upload(f"{CONTENT}/{file.path}", content / file.path, {"sha256": file.sha256}, advances)
            written += 1
        self._folder.write(MANIFEST, manifest.model_dump_json(indent=1).encode())
        return written

    def _has(self, file: ManifestFile) -> bool:
        head = self._folder.head(f"{CONTENT}/{file.path}")
        return head is not None and head["ContentLength"] == file.size and head["Metadata"].get("sha256") == file.sha256
