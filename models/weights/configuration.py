"""The weights that a Serve configuration, such as serve_config.yaml, names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from models.asr import AsrSettings
from models.diarization import DiarizationSettings
from models.lipsync import LipsyncSettings
from models.speaker import SpeakerSettings
from models.speech import SpeechSettings
from models.spoof import SpoofSettings
from models.translation import TranslationSettings
from models.weights.catalogue import named_set
from models.weights.references import Reference, references
from models.weights.sources import SetSource, parse_uri
from models.weights.spec import Weights

_ROLES: Mapping[str, TypeAdapter[Any]] = {
    "asr": TypeAdapter(AsrSettings),
    "asr_live": TypeAdapter(AsrSettings),
    "diarization": TypeAdapter(DiarizationSettings),
    "speaker": TypeAdapter(SpeakerSettings),
    "spoof": TypeAdapter(SpoofSettings),
    "translation": TypeAdapter(TranslationSettings),
    "speech": TypeAdapter(SpeechSettings),
    "lipsync": TypeAdapter(LipsyncSettings),
}


@dataclass(frozen=True)
class Need:
    """Weights that a role needs; those that were asked for by name have an empty role."""

    role: str
    reference: Reference


def need_of_set(uri: str) -> Need:
    """Return the need of a named set that no engine names.

    Raises:
        ValueError: There is no such set.
    """
    source = parse_uri(uri)
    if not isinstance(source, SetSource) or source.inside:
        raise ValueError(f"{uri} is not set://NAME")
    files = tuple(file.path for file in named_set(source.name).files)
    return Need("", Reference("", str(source), Weights(files=files), ""))


def needs_of_engine(role: str, engine: Mapping[str, Any]) -> list[Need]:
    """Return what an engine's settings name.

    Raises:
        ValueError: They are not valid settings of the role's engines.
    """
    return [Need(role, reference) for reference in references(_validated(role, engine))]


def needs_of(config: Path) -> list[Need]:
    """Return what a configuration names, in its order, the same for the same role once.

    Args:
        config: A YAML file with Serve applications. Of their ``args`` the engines of the roles are read, and what the
            ``user_config`` of a role's deployment changes in them; the rest is left to the check before a deployment.

    Raises:
        ValueError: It can't be read, or an engine's settings are not valid.
    """
    found: dict[tuple[str, str, str], Need] = {}
    for role, settings in _engines(_content(config)):
        for reference in references(settings):
            found.setdefault((role, reference.setting, reference.name), Need(role, reference))
    return list(found.values())


def _content(config: Path) -> Any:
    try:
        return yaml.safe_load(config.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{config} can't be read: {error}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{config} is not YAML: {error}") from error


def _engines(content: Any) -> Iterator[tuple[str, BaseModel]]:
    for application in _items(content, "applications"):
        arguments = application.get("args")
        changes = {item.get("name"): item.get("user_config") for item in _items(application, "deployments")}
        for role, settings in arguments.items() if isinstance(arguments, Mapping) else ():
            engine = settings.get("engine") if isinstance(settings, Mapping) else None
            if role not in _ROLES or not isinstance(engine, Mapping):
                continue
            declared = _validated(role, engine)
            yield role, declared
            if isinstance(change := changes.get(role), Mapping):
                known = {name: value for name, value in change.items() if name in type(declared).model_fields}
                yield role, _validated(role, {**engine, **known})


def _items(content: Any, name: str) -> Iterator[Mapping[str, Any]]:
    items = content.get(name) if isinstance(content, Mapping) else None
    return (item for item in (items if isinstance(items, list) else ()) if isinstance(item, Mapping))


def _validated(role: str, engine: Mapping[str, Any]) -> BaseModel:
    try:
        settings: BaseModel = _ROLES[role].validate_python(engine)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, (role, 'engine', *fault['loc'])))}: {fault['msg']}" for fault in error.errors())
        raise ValueError("; ".join(faults)) from error
    return settings
