"""The base of every storage setting."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one part of the storage: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
