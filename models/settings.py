"""The base of every engine's settings."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one engine: immutable, unknown keys refused.

    A role's settings are a union of its engines' settings, told apart by the field ``engine``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
