"""Inventory of the weights that a configuration needs, and of those on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.errors import MissingWeights
from models.weights.cache import entry_of, in_hub_cache
from models.weights.catalogue import named_set
from models.weights.configuration import Need
from models.weights.fill import origin_of
from models.weights.origins import ConnectionLost, Listing
from models.weights.published import forbids_commerce, published_model
from models.weights.sources import HubSource, LocalSource, SetSource, Source
from models.weights.spec import Weights

State = Literal["cached", "hub cache", "in place", "missing"]


@dataclass(frozen=True)
class Item:
    """Weights that one setting names.

    Attributes:
        role: Whose they are.
        engine: Of that role.
        setting: That names them.
        reference: What it says.
        size: In bytes; None where nobody knows.
        size_is: Where the size is from: ``here`` as measured, ``source`` as the source says now, ``published`` as
            rounded in a table; None with no size.
        licence: As the source states it; None where nobody knows.
        commercial_use: False where the licence forbids it by its name; None otherwise.
        source: Where they came from, or else would be fetched from, in the order of trying; empty for a path.
        state: ``cached`` in the node's cache, ``hub cache`` in the Hugging Face cache, ``in place`` for a path, or
            ``missing``.
        path: Where they lie.
    """

    role: str
    engine: str
    setting: str
    reference: str
    size: int | None
    size_is: Literal["here", "source", "published"] | None
    licence: str | None
    commercial_use: bool | None
    source: str
    state: State
    path: str | None


class Inventory:
    """Collects the facts of the weights that settings name.

    Args:
        online: Ask the sources for sizes and licences that are not known here.
    """

    def __init__(self, *, online: bool) -> None:
        self._online = online

    def item(self, need: Need) -> Item:
        """Return what is known of one setting's weights.

        Raises:
            MissingWeights: The setting names nothing.
        """
        reference = need.reference
        source = reference.weights.source(reference.name)
        state, path, size, licence, origin = _here(source, reference.weights)
        size_is: Literal["here", "source", "published"] | None = "here" if size is not None else None
        if (size is None or licence is None) and (listing := self._listing(source, reference.weights)):
            licence = licence or listing.licence
            size, size_is = (size, size_is) if size is not None else (sum(f.size for f in listing.files), "source")
        if isinstance(source, SetSource):
            found = named_set(source.name)
            size, licence, origin = found.size, found.licence, origin or ", ".join(found.sources)
            size_is = size_is or "source"
        facts = published_model(source)
        licence = licence or reference.weights.licence or (facts.licence if facts else None)
        if size is None and facts is not None and facts.size is not None:
            size, size_is = facts.size, "published"
        forbidden = licence is not None and forbids_commerce(licence)
        return Item(
            role=need.role,
            engine=reference.engine,
            setting=reference.setting,
            reference=reference.name,
            size=size,
            size_is=size_is,
            licence=licence,
            commercial_use=False if forbidden else None,
            source=origin or ("" if isinstance(source, LocalSource) else str(source)),
            state=state,
            path=str(path) if path else None,
        )

    def _listing(self, source: Source, weights: Weights) -> Listing | None:
        """Return the source's listing of the files that would be fetched; None where it does not answer."""
        if not self._online or isinstance(source, (LocalSource, SetSource)):
            return None
        try:
            listing = origin_of(source, weights).listing()
        except ConnectionLost:
            self._online = False
            return None
        except MissingWeights:
            return None
        paths = [file.path for file in listing.files]
        chosen = weights.chosen(paths)
        if chosen is None and weights.conversion is not None:
            chosen = weights.conversion.checkpoint.chosen(paths)
        files = tuple(file for file in listing.files if chosen is not None and file.path in chosen)
        return Listing(listing.server, files, listing.revision, listing.licence) if files else None


def _here(source: Source, weights: Weights) -> tuple[State, Path | None, int | None, str | None, str | None]:
    """Return state, path, size, licence and source of weights, as far as they are known on this machine."""
    if isinstance(source, LocalSource):
        if weights.missing(source.path):
            return "missing", source.path, None, None, None
        return "in place", source.path, _size(source.path), None, None
    entry = entry_of(source, weights)
    manifest = entry.manifest()
    if manifest is not None and (place := entry.place()):
        return "cached", place, manifest.size, manifest.licence, manifest.source
    if isinstance(source, HubSource) and (place := in_hub_cache(source, weights)):
        return "hub cache", place, _size(place), None, None
    return "missing", None, None, None, None


def _size(place: Path) -> int:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    return sum(file.stat().st_size for file in files)
