"""The base of every engine's settings."""

from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo

LIVE: JsonDict = {"live": True}
"""Marks a field, as its ``json_schema_extra``: an engine takes a new value of it while it works."""


class Settings(BaseModel):
    """Settings of one engine: immutable, unknown keys refused.

    A role's settings are a union of its engines' settings, told apart by the field ``engine``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def fixed(self) -> dict[str, Any]:
        """Return what an engine is made from and keeps for its life: the fields that are not marked ``LIVE``."""
        return {name: _fixed(value) for name, value in self if not is_live(type(self).model_fields[name])}


def _fixed(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.fixed()
    return [_fixed(item) for item in value] if isinstance(value, tuple) else value


def is_live(field: FieldInfo) -> bool:
    """Tell whether a working engine takes a new value of this field."""
    return isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("live") is True


@runtime_checkable
class Adjustable(Protocol):
    """An engine that reads fields marked ``LIVE``."""

    def adjust(self, settings: Any) -> None:
        """Take settings that differ from the engine's own in fields marked ``LIVE`` only.

        Work under way may still go by the old ones.

        Raises:
            Exception: A value can't be used; the engine keeps all old ones.
        """
        ...
