"""Engines behind a result, and what is to be said of it because of them."""

import asyncio
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from graphs.common.roles import Role
from models.facts import EngineInUse


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineUsed(_Frozen):
    """Engine of one role."""

    engine: str = Field(description="As in the configuration.")
    model: str | None = Field(default=None, description="Name of its weights; null where it has its own.")


class MadeByEngines(_Frozen):
    """Base of the reports of jobs: the engines that made them."""

    engines: dict[str, EngineUsed] = Field(
        default={}, description="Engines that worked on it, by role; empty in results of earlier releases."
    )
    notices: tuple[str, ...] = Field(
        default=(), description="Sentences on engines that stand in for better ones: read them before you rely on this."
    )


async def engines_behind(roles: Mapping[str, Role]) -> MadeByEngines:
    """Return the engines of some roles.

    Args:
        roles: Roles by name.

    Raises:
        RoleUnavailable: One of them can't be reached.
    """
    found = await asyncio.gather(*(role.in_use() for role in roles.values()))
    return MadeByEngines(
        engines={role: used(engine) for role, engine in zip(roles, found, strict=True)}, notices=notices_of(found)
    )


def used(engine: EngineInUse) -> EngineUsed:
    """Return what results tell of an engine."""
    return EngineUsed(engine=engine.engine, model=engine.model or None)


def notices_of(engines: Sequence[EngineInUse]) -> tuple[str, ...]:
    """Return the sentences that results of these engines carry, each once."""
    every = [part for engine in engines for part in (engine, *engine.parts)]
    return tuple(dict.fromkeys(engine.notice for engine in every if engine.notice))
