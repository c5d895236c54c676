"""Commands of ``python -m models.weights``; see ``models.weights.__main__``."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from models.errors import MissingWeights
from models.weights.cache import CONTENT, MANIFEST, Entry, cached_entries, entry_of, in_hub_cache, locked, root
from models.weights.configuration import Need
from models.weights.digests import sha256_of
from models.weights.fill import fill
from models.weights.inventory import Inventory, Item
from models.weights.manifest import Manifest, ManifestFile
from models.weights.mirror import VARIABLE, MirrorOrigin, mirror_folder
from models.weights.origins import ConnectionLost
from models.weights.sources import HubSource, LocalSource, S3Source, SetSource


def pull(needs: Sequence[Need], console: Console) -> int:
    """Fetch what is missing; one sentence for each reference that can't be had."""
    with _bars(console) as bars:
        return _each(needs, console, lambda need: _pulled(need, bars))


def push(needs: Sequence[Need], console: Console) -> int:
    """Fetch what is missing, and write into the mirror what it lacks."""
    try:
        mirror = mirror_folder()
    except MissingWeights as error:
        return _failed(console, str(error))
    if mirror is None:
        return _failed(console, f"there is no mirror: set {VARIABLE}=s3://bucket/prefix")
    with _bars(console) as bars:
        return _each(needs, console, lambda need: _pushed(need, mirror, bars))


def show(needs: Sequence[Need], console: Console, *, as_json: bool, online: bool) -> int:
    """Print what is needed, and what is here of it."""
    inventory = Inventory(online=online)
    try:
        items = [inventory.item(need) for need in needs]
    except MissingWeights as error:
        return _failed(console, str(error))
    if as_json:
        print(json.dumps([asdict(item) for item in items], indent=2))
    elif items:
        named = all(not item.role for item in items)
        console.print(_sets_table(items) if named else _table(items))
        _tell_forbidden(items, console)
    else:
        _say(console, "the engines of this configuration need no weights besides those that they ship with")
    return 0


def verify(needs: Sequence[Need] | None, console: Console) -> int:
    """Read what is cached, of some references or all of it, and compare checksums."""
    if needs is None:
        return _all_right([_verified(folder, console) for folder in cached_entries()])

    def check(need: Need) -> str:
        entry = _entry(need)
        if entry is None or entry.manifest() is None:
            return "not in the node's cache, nothing to compare"
        if not _verified(entry.folder, console):
            raise MissingWeights("damaged")
        return "as it came"

    return _each(needs, console, check)


def prune(needs: Sequence[Need], console: Console) -> int:
    """Remove what is cached and not needed, and what interrupted fetches left of it."""
    kept = {entry.name for need in needs if (entry := _entry(need)) is not None}
    grown = (root() / ".partial").glob("*")
    for folder in [*cached_entries(), *grown]:
        if folder.name not in kept:
            _remove(folder, console)
    return 0


def _remove(folder: Path, console: Console) -> None:
    with locked(folder.name, lambda: _say(console, f"waiting for the process that fetches {folder.name}")):
        shutil.rmtree(folder, ignore_errors=True)
    _say(console, f"removed {folder}")


class _Bars:
    """A bar for each reference; see ``models.weights.progress.Progress``."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", visible=False)

    def begins(self, name: str, size: int, done: int) -> None:
        self._progress.update(self._task, visible=False)
        self._task = self._progress.add_task(name, total=size, completed=done)

    def advances(self, size: int) -> None:
        self._progress.advance(self._task, size)

    def says(self, what: str) -> None:
        _say(self._progress.console, what)


@contextmanager
def _bars(console: Console) -> Iterator[_Bars]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(progress)


def _each(needs: Sequence[Need], console: Console, act: Callable[[Need], str]) -> int:
    results = []
    done: dict[str, str] = {}
    for need in needs:
        reference = need.reference
        said = " ".join(filter(None, (need.role, reference.setting, reference.name)))
        try:
            entry = _entry(need)
            key = entry.name if entry else reference.name
            done[key] = done.get(key) or act(need)
            _say(console, f"{said}: {done[key]}")
            results.append(True)
        except (MissingWeights, ConnectionLost) as error:
            _failed(console, f"{said}: {error}")
            results.append(False)
    return _all_right(results)


def _pulled(need: Need, bars: _Bars) -> str:
    reference = need.reference
    source = reference.weights.source(reference.name)
    if isinstance(source, LocalSource):
        if missing := reference.weights.missing(source.path):
            what = f"has no {', no '.join(missing)}" if source.path.is_dir() else "is not there"
            raise MissingWeights(f"{source.path} {what}; {reference.weights.how.format(path=source.path)}")
        return "in place"
    if place := entry_of(source, reference.weights).place():
        return f"here: {place}"
    if isinstance(source, HubSource) and (place := in_hub_cache(source, reference.weights)):
        return f"here: {place}"
    place = fill(source, reference.weights, hub=True, progress=bars)
    return f"fetched: {place}"


def _pushed(need: Need, mirror: S3Source, bars: _Bars) -> str:
    reference = need.reference
    source = reference.weights.source(reference.name)
    said = _pulled(need, bars)
    if isinstance(source, LocalSource):
        return f"{said}; a path of this machine, put it on every node or into S3 yourself"
    if isinstance(source, S3Source):
        return f"{said}; it is in S3, nodes fetch it from there"
    entry = entry_of(source, reference.weights)
    manifest, content = entry.manifest(), entry.folder / CONTENT
    if manifest is None:
        place = in_hub_cache(source, reference.weights) if isinstance(source, HubSource) else None
        if place is None or isinstance(source, SetSource):
            raise MissingWeights("it was removed meanwhile")
        manifest, content = _described(source, entry, place), place if place.is_dir() else place.parent
    bars.begins(f"{mirror}/{entry.name}", manifest.size, 0)
    written = MirrorOrigin(mirror, entry).push(content, manifest, bars.advances)
    return f"{written} files written to {mirror}/{entry.name}" if written else f"in the mirror: {mirror}/{entry.name}"


def _described(source: HubSource, entry: Entry, place: Path) -> Manifest:
    """Describe what lies in the Hugging Face cache."""
    base = place if place.is_dir() else place.parent
    paths = [path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file()]
    chosen = [place.name] if place.is_file() else entry.weights.chosen(paths)
    assert chosen is not None  # or it would not have been found
    snapshot = place.relative_to(_snapshots(place)).parts[0]
    return Manifest(
        reference=str(source),
        source="the Hugging Face cache",
        revision=snapshot,
        fetched=datetime.now(UTC),
        files=tuple(
            ManifestFile(path=path, size=(base / path).stat().st_size, sha256=sha256_of(base / path)) for path in chosen
        ),
    )


def _snapshots(place: Path) -> Path:
    return next(parent for parent in place.parents if parent.name == "snapshots")


def _entry(need: Need) -> Entry | None:
    """Return where the cache keeps what a setting names; None for a path."""
    reference = need.reference
    source = reference.weights.source(reference.name)
    return None if isinstance(source, LocalSource) else entry_of(source, reference.weights)


def _verified(folder: Path, console: Console) -> bool:
    manifest = Manifest.read(folder / MANIFEST)
    faults = ["manifest.json"] if manifest is None else manifest.faults(folder / CONTENT)
    if faults:
        _failed(console, f"{folder} is damaged: {', '.join(faults)}; remove the folder and pull again")
    return not faults


def _table(items: Sequence[Item]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("role", "engine", "weights", "size", "licence", "where", "source"):
        table.add_column(column, overflow="fold", no_wrap=column in ("role", "size", "where"))
    for item in items:
        table.add_row(
            item.role,
            item.engine,
            item.reference,
            _size(item),
            _licence(item),
            item.state,
            item.source,
        )
    return table


def _sets_table(items: Sequence[Item]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("weights", "size", "licence", "where", "source"):
        table.add_column(column, overflow="fold", no_wrap=column != "source")
    for item in items:
        table.add_row(item.reference, _size(item), _licence(item), item.state, item.source)
    return table


def _size(item: Item) -> str:
    if item.size is None:
        return "unknown"
    megabytes = item.size / 1e6
    return f"{'~' if item.size_is == 'published' else ''}{megabytes:,.{0 if megabytes >= 10 else 1}f} MB"


def _licence(item: Item) -> str:
    licence = item.licence or "unknown"
    marked = item.commercial_use is False and "commercial" not in licence
    return f"{licence}: no commercial use" if marked else licence


def _tell_forbidden(items: Sequence[Item], console: Console) -> None:
    forbidden = sorted({item.reference for item in items if item.commercial_use is False})
    if forbidden:
        _say(console, f"Commercial use is forbidden by the licence of: {', '.join(forbidden)}.")


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _failed(console: Console, sentence: str) -> int:
    console.print(sentence, markup=False, highlight=False, soft_wrap=True, style="red")
    return 1


def _all_right(results: Sequence[bool]) -> int:
    return int(not all(results))
