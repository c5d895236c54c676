"""Settings for running replicas (Serve's ``user_config``), checked before they are deployed.

A replica that refuses its new settings keeps the old ones, but Serve takes the refusal for a failure and stops the
replica: a wrong value must not get that far.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from deployments.strict import ConfigError, validate
from models.settings import Settings

BATCH_FIELDS = frozenset({"batch_wait_ms", "max_batch_chunks", "max_batch_tokens", "max_batch_frames"})
"""Fields that a role takes beside those of its engine, where it has them."""


def fields_that_need_a_new_engine(old: Settings, new: Settings) -> list[str]:
    """Return the fields in which the settings differ and that no working engine takes."""
    before, after = old.fixed(), new.fixed()
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def needs_a_new_engine(fields: list[str]) -> str:
    """Say why they can't be changed in a replica with a GPU, and how they can."""
    return (
        f"{', '.join(fields)}: a new value needs a new engine, and a share of a GPU has no room for two; set it in the "
        "application's args and deploy again, which replaces the replicas one by one"
    )


def faults(application: Mapping[str, Any], arguments: BaseModel | None, path: str) -> Iterator[str]:
    """Find what the roles of an application would refuse.

    Args:
        application: An entry of ``applications`` in Serve's configuration.
        arguments: Its checked ``args``.
        path: Where it stands in its file.
    """
    for number, deployment in enumerate(application.get("deployments") or []):
        if not isinstance(deployment, Mapping) or not isinstance(deployment.get("user_config"), Mapping):
            continue
        role = getattr(arguments, str(deployment.get("name")), None)
        if isinstance(role, BaseModel) and isinstance(engine := getattr(role, "engine", None), Settings):
            options = deployment.get("ray_actor_options") or {}
            where = f"{path}.deployments[{number}].user_config"
            yield from _of_role(role, engine, deployment["user_config"], bool(options.get("num_gpus")), where)


def _of_role(
    role: BaseModel, engine: Settings, user_config: Mapping[str, Any], on_gpu: bool, path: str
) -> Iterator[str]:
    batch = {
        name: value for name, value in user_config.items() if name in BATCH_FIELDS & type(role).model_fields.keys()
    }
    own = {name: value for name, value in user_config.items() if name not in batch}
    try:
        validate(type(role), {**role.model_dump(), **batch}, path=path)
        changed = validate(type(engine), {**engine.model_dump(), **own}, path=path)
    except ConfigError as error:
        yield str(error)
        return
    if on_gpu and (fields := fields_that_need_a_new_engine(engine, changed)):
        yield f"{path}: {needs_a_new_engine(fields)}"
