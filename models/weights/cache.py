"""The node's cache of weights.

    ROOT/<entry>/manifest.json     what there is, with sizes and checksums
    ROOT/<entry>/content/...       the files
    ROOT/.partial/<entry>/...      what a fetch has brought so far; renamed to ROOT/<entry> when it is whole
    ROOT/.partial/archives/...     package archives that a fetch has brought, until the sets in them are whole
    ROOT/.locks/<entry>.lock       held by the process that fetches

An entry is one reference with the files that its engine needs of it, so that engines which need different files of one
model don't meet; or a named set, whole.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.weights.catalogue import named_set
from models.weights.manifest import Manifest
from models.weights.sources import HubSource, S3Source, SetSource
from models.weights.spec import Weights

VARIABLE = "VOICEGRAPH_WEIGHTS"
MANIFEST = "manifest.json"
CONTENT = "content"

ARCHIVES = "archives"

_LONGEST_NAME = 120
_ENTRY = re.compile(r"(hf|s3|set)--.+-[0-9a-f]{12}")


def root() -> Path:
    """Return the folder of the node's cache, as an absolute path."""
    return Path(os.environ.get(VARIABLE) or "~/.cache/voicegraph/weights").expanduser().absolute()


@dataclass(frozen=True)
class Entry:
    """The place of one reference's weights in the cache or the mirror.

    Attributes:
        name: Of its folder.
        weights: What must be in it.
        inside: The part of it that is meant; empty for all of it.
    """

    name: str
    weights: Weights
    inside: str = ""

    @property
    def folder(self) -> Path:
        """Folder of the complete entry."""
        return root() / self.name

    @property
    def partial(self) -> Path:
        """Folder of the incomplete entry, while it is fetched."""
        return root() / ".partial" / self.name

    def manifest(self) -> Manifest | None:
        """Return what is written of it; None where it is not in the cache."""
        return Manifest.read(self.folder / MANIFEST)

    def place(self) -> Path | None:
        """Return the folder or file that the engine takes; None where it is not in the cache, whole."""
        manifest = self.manifest()
        content = self.folder / CONTENT
        if manifest is None or not manifest.has_sizes_of(content):
            return None
        if self.inside:
            return None if self.weights.missing(content / self.inside) else content / self.inside
        if self.weights.kind == "file":
            return content / manifest.files[0].path if len(manifest.files) == 1 else None
        return None if self.weights.missing(content) else content

    def publish(self) -> None:
        """Put what has grown into its place, whole, in one step; an older one goes."""
        old = root() / ".partial" / f"{self.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if self.folder.exists():
            self.folder.rename(old)
        self.partial.rename(self.folder)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(name: str, waits: Callable[[], None]) -> Iterator[None]:
    """Keep other processes from fetching the same entry; where one does, call ``waits`` and wait for its end."""
    from filelock import FileLock, Timeout

    lock = FileLock(_made(root() / ".locks") / f"{name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        waits()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def archives() -> Path:
    """Return the folder of package archives, which exists."""
    return _made(root() / ".partial" / ARCHIVES)


def entry_of(source: HubSource | S3Source | SetSource, weights: Weights) -> Entry:
    """Return the entry of a reference; that of a named set is one for all engines, by the set's content.

    Raises:
        ValueError: There is no such set.
    """
    if isinstance(source, SetSource):
        return Entry(f"set--{source.name}-{named_set(source.name).digest[:12]}", weights, source.inside)
    said = json.dumps([str(source), weights.kind, weights.files, weights.more])
    readable = re.sub(r"[^A-Za-z0-9._@-]+", "--", str(source).replace("://", "--"))[:_LONGEST_NAME]
    return Entry(f"{readable}-{hashlib.sha256(said.encode()).hexdigest()[:12]}", weights)


def in_hub_cache(source: HubSource, weights: Weights) -> Path | None:
    """Return where this machine's Hugging Face cache has all that is needed of a model; None where it has not."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        # No patterns: what must be there is looked for below, with its alternatives.
        snapshot = snapshot_download(
            source.repository, revision=source.revision, local_files_only=True, allow_patterns=[]
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    place = Path(snapshot, source.inside)
    return None if weights.missing(place) else place


def cached_entries() -> list[Path]:
    """Return the folders of all entries that are in the cache, damaged ones too; not what others have put there."""
    return sorted(path for path in root().glob("*") if _ENTRY.fullmatch(path.name) and (path / CONTENT).is_dir())


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
