"""Description of an engine at work, without paths or addresses of the machine that it runs on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.errors import MissingWeights
from models.facts.lookup import RoleName, facts_of
from models.settings import Settings
from models.weights.catalogue import named_set
from models.weights.published import published_model
from models.weights.references import Reference, references
from models.weights.sources import HubSource, S3Source, SetSource, Source

Device = Literal["cpu", "cuda", "server"]


@dataclass(frozen=True)
class EngineInUse:
    """An engine, and what it works with.

    Attributes:
        engine: As in its settings.
        model: Name of its weights: an id on a hub, or the last part of a URI or path; of a diarizer that has none, its
            speaker encoder; empty where the engine's own is used.
        device: What it computes on; ``server`` for an engine that calls one.
        licence: Of the weights, as far as it is known.
        notice: Sentences for whoever uses its results, where nobody should rely on them; None for others.
        stands_in: It takes the place of another engine that is configured and could not be had.
        parts: Engines that it consists of, where it combines several.
    """

    engine: str
    model: str = ""
    device: Device = "cpu"
    licence: str | None = None
    notice: str | None = None
    stands_in: bool = False
    parts: tuple["EngineInUse", ...] = ()


def engine_in_use(role: RoleName, settings: Settings, *, gpu: bool = False, notice: str | None = None) -> EngineInUse:
    """Describe an engine by its settings.

    Args:
        role: Its role.
        settings: A member of the role's union of settings.
        gpu: The process has a GPU.
        notice: Sentence on the engine that this one stands in for.
    """
    engine = str(getattr(settings, "engine", ""))
    model = _model_of(settings)
    facts = facts_of(role, engine, model)
    said = [sentence for sentence in (notice, facts.notice if facts else None) if sentence]
    return EngineInUse(
        engine=engine,
        model=model,
        device=_device_of(settings, gpu),
        licence=(facts.licence if facts else None) or _licence_of(settings),
        notice=" ".join(said) or None,
        stands_in=notice is not None,
        parts=tuple(engine_in_use(role, part, gpu=gpu) for part in _parts_of(settings)),
    )


def _model_of(settings: Settings) -> str:
    if _parts_of(settings):
        return ""
    if isinstance(named := getattr(settings, "model", None), str) and _device_of(settings, False) == "server":
        return named
    if names := list(dict.fromkeys(filter(None, map(public_name, references(settings))))):
        return " + ".join(names)
    return str(getattr(getattr(settings, "speaker", None), "engine", ""))


def public_name(reference: Reference) -> str:
    """Return the name of weights without the path, host or bucket that they lie in."""
    source = _source_of(reference)
    match source:
        case HubSource():
            return source.repository
        case SetSource():
            return source.name
        case S3Source():
            return source.key.rpartition("/")[2]
    return str(source or reference.name).rstrip("/").rpartition("/")[2]


def _source_of(reference: Reference) -> Source | None:
    try:
        return reference.weights.source(reference.name)
    except (MissingWeights, ValueError):
        return None


def _licence_of(settings: Settings) -> str | None:
    """Return the licences of all weights that the settings name; None where one of them is not known."""
    licences: list[str | None] = []
    for reference in references(settings):
        source = _source_of(reference)
        if isinstance(source, SetSource):
            licences.append(named_set(source.name).licence)
            continue
        published = published_model(source) if source is not None else None
        licences.append(published.licence if published else reference.weights.licence)
    known = list(dict.fromkeys(licence for licence in licences if licence))
    return ", ".join(known) if known and None not in licences else None


def _device_of(settings: Settings, gpu: bool) -> Device:
    if hasattr(settings, "base_url"):
        return "server"
    device = getattr(settings, "device", "cpu")
    return "cuda" if device == "cuda" or (device == "auto" and gpu) else "cpu"


def _parts_of(settings: Settings) -> list[Settings]:
    """Return the settings of the engines that an engine consists of."""
    return [item for _name, value in settings for item in _items(value)]


def _items(value: Any) -> Iterator[Settings]:
    members = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for item in members:
        if isinstance(item, Settings) and hasattr(item, "engine"):
            yield item
