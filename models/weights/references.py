"""Search for the weights that settings name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, get_args, runtime_checkable

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from models.weights.spec import Weights


@dataclass(frozen=True)
class Reference:
    """A setting that names weights.

    Attributes:
        setting: Its path, such as ``speaker.model`` or ``models.en``.
        name: What it says.
        weights: What is needed of them.
        engine: The engine whose setting it is.
    """

    setting: str
    name: str
    weights: Weights
    engine: str


@runtime_checkable
class ImpliesWeights(Protocol):
    """Settings whose named weights name others in turn."""

    def implied_weights(self) -> Iterator[tuple[str, str, Weights]]:
        """Yield the settings that were left out: name, value that stands for it, what is needed."""
        ...


def references(settings: BaseModel, path: str = "") -> Iterator[Reference]:
    """Yield every setting that names weights, those of nested settings too."""
    engine = str(getattr(settings, "engine", ""))
    if isinstance(settings, ImpliesWeights):
        for name, value, needed in settings.implied_weights():
            yield Reference(f"{path}{name}", value, needed, engine)
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        weights = _weights(field)
        for place, item in _items(f"{path}{name}", value):
            if isinstance(item, BaseModel):
                yield from references(item, f"{place}.")
            elif weights is not None and isinstance(item, str):
                yield Reference(place, item, weights, engine)


def _weights(field: FieldInfo) -> Weights | None:
    found = (item for item in field.metadata if isinstance(item, Weights))
    return next(found, None) or _annotated(field.annotation)


def _annotated(annotation: Any) -> Weights | None:
    if isinstance(annotation, Weights):
        return annotation
    return next(filter(None, map(_annotated, get_args(annotation))), None)


def _items(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _items(f"{path}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _items(f"{path}.{index}", item)
    else:
        yield path, value
