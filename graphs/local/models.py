"""The variable MODELS of ``make run``: which engines a local run takes."""

from pathlib import Path
from typing import Any, Literal, cast, get_args

from graphs.local.engines import embedded
from graphs.local.environment import StartError
from graphs.local.full import full, write
from graphs.local.model_fetch import ModelFetch

Models = Literal["default", "none", "full"]
"""Engines of the configuration; the embedded ones; the best ones, from a model hub."""


def checked_models(value: str) -> Models:
    """Return what MODELS says; the configuration's engines where it is empty.

    Raises:
        StartError: It says something else.
    """
    if value not in ("", *get_args(Models)):
        raise StartError(f"MODELS is {value!r}; it must be one of {', '.join(get_args(Models))}, or left out")
    return cast(Models, value or "default")


def model_fetch(config: dict[str, Any], models: Models, data: Path) -> ModelFetch:
    """Return the choice of engines that MODELS asks for, which has not begun.

    Args:
        config: A checked Serve configuration.
        models: See there.
        data: The data folder, into which the configuration of ``full`` is written.

    Raises:
        ConfigError: The configuration of ``full`` is not valid.
    """
    if models == "none":
        return ModelFetch(embedded(config))
    if models == "full":
        best = full(config)
        write(best, data)
        return ModelFetch(config, [best], sets_only=False)
    return ModelFetch(config)
