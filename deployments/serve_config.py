"""Validation of a Serve configuration file before it is deployed.

Serve accepts unknown keys anywhere without a word; a typo then silently disables an option. Here every key is checked,
down to the arguments of the applications.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import BaseModel
from ray.serve.config import AutoscalingConfig, RequestRouterConfig
from ray.serve.schema import DeploymentSchema, RayActorOptionsSchema, ServeApplicationSchema, ServeDeploySchema

from deployments import user_config
from deployments.strict import ConfigError, unknown_key, validate

# Serve types these as Dict as well as by a model, so that their keys go unchecked there.
_TYPED: dict[str, type[BaseModel]] = {
    "autoscaling_config": AutoscalingConfig,
    "ray_actor_options": RayActorOptionsSchema,
    "request_router_config": RequestRouterConfig,
}


def load(path: Path) -> dict[str, Any]:
    """Read and check a configuration file.

    Raises:
        ConfigError: It is not YAML, or keys are unknown, missing or wrong; the message names each by its path.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error
    check(data)
    return dict(data)


def check(data: object) -> None:
    """Check a parsed configuration.

    Raises:
        ConfigError: As for ``load``.
    """
    if not isinstance(data, Mapping):
        raise ConfigError("the configuration must be a mapping with the key 'applications'")
    faults = list(_unknown(ServeDeploySchema, data, "configuration"))
    for index, application in enumerate(data.get("applications") or []):
        if not isinstance(application, Mapping):
            continue
        path = f"applications[{index}]"
        faults += _unknown(ServeApplicationSchema, application, path)
        for number, deployment in enumerate(application.get("deployments") or []):
            if isinstance(deployment, Mapping):
                faults += _unknown(DeploymentSchema, deployment, f"{path}.deployments[{number}]")
        try:
            faults += user_config.faults(application, arguments_of(application, path), path)
        except ConfigError as error:
            faults.append(str(error))
    functions = (data.get("grpc_options") or {}).get("grpc_servicer_functions") or []
    for number, function in enumerate(functions):
        try:
            imported(str(function), f"grpc_options.grpc_servicer_functions[{number}]")
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))
    try:
        ServeDeploySchema.model_validate(data)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def arguments_of(application: Mapping[str, Any], path: str = "application") -> BaseModel | None:
    """Return the checked arguments of an application; None where its builder takes no model.

    Args:
        application: An entry of ``applications``.
        path: Where it stands in its file.

    Raises:
        ConfigError: There is no such builder, or keys are unknown, missing or wrong.
    """
    builder = imported(str(application.get("import_path", "")), f"{path}.import_path")
    first = next(iter(signature(builder).parameters), None)
    model = get_type_hints(builder).get(first) if first else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return validate(model, application.get("args") or {}, path=f"{path}.args")
    return None


def imported(import_path: str, path: str) -> Any:
    """Return what an import path of the file names; Serve would find a wrong one only in its own processes.

    Raises:
        ConfigError: There is nothing of that name.
    """
    module, _, name = import_path.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path}: {import_path!r}: {error}") from error


def _unknown(model: type[BaseModel], data: Mapping[Any, Any], path: str) -> Iterator[str]:
    """Find the unknown keys of a mapping and of the models below it, lists left to the caller."""
    for key, value in data.items():
        field = model.model_fields.get(key)
        if field is None:
            yield unknown_key(path, str(key), model.model_fields)
            continue
        inner = _TYPED.get(key) or _model_of(field.annotation)
        if inner is not None and isinstance(value, Mapping):
            yield from _unknown(inner, value, f"{path}.{key}")


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
