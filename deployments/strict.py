"""Refusal of unknown configuration keys, with the key's path and the nearest valid name."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

ModelT = TypeVar("ModelT", bound=BaseModel)


class ConfigError(ValueError):
    """The configuration can't be used; the message names each key at fault by its path."""


def validate(model: type[ModelT], data: object, *, path: str = "") -> ModelT:
    """Build a settings model from parsed YAML or JSON.

    Args:
        model: A model with ``extra="forbid"`` throughout.
        data: What was parsed.
        path: Where ``data`` stands in its file, put before every key in messages.

    Raises:
        ConfigError: Unknown keys (each with the nearest valid name), missing or wrong values.
    """
    try:
        return TypeAdapter(model).validate_python(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(model, error, path))) from error


def unknown_key(path: str, key: str, valid: Iterable[str]) -> str:
    """Say that a key is unknown and which one was probably meant."""
    names = sorted(valid)
    near = get_close_matches(key, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"valid keys are {', '.join(names)}"
    return f"{path}: unknown key {key!r}; {hint}"


def _sentences(model: type[BaseModel], error: ValidationError, path: str) -> Iterable[str]:
    for fault in error.errors(include_url=False):
        location = list(fault["loc"])
        if fault["type"] == "extra_forbidden":
            key = str(location[-1])
            parent = _join(path, location[:-1]) or "configuration"
            yield unknown_key(parent, key, _fields_at(model, location[:-1]))
        else:
            yield f"{_join(path, location)}: {fault['msg']}"


def _join(path: str, location: Iterable[object]) -> str:
    text = path
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _fields_at(annotation: Any, location: list[Any]) -> set[str]:
    """Collect the field names of all models that stand at a location in a type."""
    candidates = list(models_in(annotation))
    for part in location:
        if isinstance(part, int):
            continue
        fields = [model.model_fields[part].annotation for model in candidates if part in model.model_fields]
        tagged = [model for model in candidates if part in _tags(model)]
        candidates = [inner for field in fields for inner in models_in(field)] or tagged or candidates
    return {name for model in candidates for name in model.model_fields}


def _tags(model: type[BaseModel]) -> set[str]:
    """Return the values of a model's literal fields: the tags by which a union tells it apart."""
    literals = (f.annotation for f in model.model_fields.values() if get_origin(f.annotation) is Literal)
    return {value for literal in literals for value in get_args(literal)}


def models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    """Yield the models that a field of this type may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType, list, tuple, dict, Mapping):
        for argument in get_args(annotation):
            yield from models_in(argument)
