"""The engines of all roles and their quality, asked for at most once in some seconds by each ingress replica."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.errors import RoleUnavailable
from graphs.common.roles import Role, Roles
from graphs.http.observability.engine_schemas import (
    BetterBody,
    EngineBody,
    EnginesBody,
    MeasurementBody,
    RoleEngineBody,
)
from models.facts import Better, EngineFacts, EngineInUse, RoleName, engine_in_use, facts_of
from models.settings import Settings
from models.translation.pairs import languages_of

KEPT_S = 10.0

Counter = Callable[[], Awaitable[int]]


@dataclass
class EngineView:
    """Looks at the engines for everybody who asks this replica.

    Args:
        roles: The roles.
        chat: Settings of the chat engine.
        monotonic: Measures spans of time, in seconds.
    """

    roles: Roles
    chat: Settings
    monotonic: Callable[[], float] = time.monotonic
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _body: EnginesBody | None = None
    _looked_at: float = 0.0

    async def look(self) -> EnginesBody:
        """Return the engines, as they were within the last ``KEPT_S``; roles that can't be reached are named."""
        async with self._looking:
            if self._body is None or self.monotonic() - self._looked_at >= KEPT_S:
                self._body = await self._asked()
                self._looked_at = self.monotonic()
            return self._body

    async def _asked(self) -> EnginesBody:
        names: tuple[RoleName, ...] = ("asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync")
        counters: Mapping[RoleName, Counter] = {
            "asr": self._recognised,
            "translation": self._translated,
            "speech": self._spoken,
        }
        found = await asyncio.gather(*(_body(name, getattr(self.roles, name), counters.get(name)) for name in names))
        engines = [body for body in found if body is not None]
        engines.append(role_engine("chat", engine_in_use("chat", self.chat), None))
        unavailable = [name for name, body in zip(names, found, strict=True) if body is None]
        return EnginesBody(engines=engines, unavailable=unavailable)

    async def _recognised(self) -> int:
        return len(await self.roles.asr.languages())

    async def _translated(self) -> int:
        return len(languages_of(await self.roles.translation.pairs()))

    async def _spoken(self) -> int:
        voices = await self.roles.speech.voices()
        return len({language.partition("-")[0] for voice in voices for language in voice.languages})


async def _body(name: RoleName, role: Role, counter: Counter | None) -> RoleEngineBody | None:
    """Return the engine of a role; None where it can't be reached."""
    try:
        return role_engine(name, await role.in_use(), await counter() if counter is not None else None)
    except RoleUnavailable:
        return None


def role_engine(role: RoleName, engine: EngineInUse, languages: int | None) -> RoleEngineBody:
    """Return the engine of a role with the facts that are known of it."""
    # What would be better is a matter of the whole: it may be one of the other parts.
    parts = [EngineBody(**{**_fields(role, part), "better": None}) for part in engine.parts]
    return RoleEngineBody(role=role, languages=languages, parts=parts, **_fields(role, engine))


def _fields(role: RoleName, engine: EngineInUse) -> dict[str, Any]:
    facts = facts_of(role, engine.engine, engine.model)
    measurements = facts.measurements if facts else ()
    not_measured = facts.not_measured if facts else "Nothing is known of this engine."
    return {
        "engine": engine.engine,
        "title": _title(facts, engine),
        "model": engine.model or None,
        "device": engine.device,
        "licence": engine.licence,
        "quality": [MeasurementBody.model_validate(measurement) for measurement in measurements],
        "not_measured": not_measured or None,
        "notice": engine.notice,
        "stands_in": engine.stands_in,
        "better": _better(facts.better) if facts else None,
    }


def _title(facts: EngineFacts | None, engine: EngineInUse) -> str:
    """Return the engine's proper name, and the model's where the facts hold for any model."""
    title = facts.title if facts else engine.engine
    return f"{title} ({engine.model})" if engine.model and (facts is None or facts.models == "*") else title


def _better(better: Better | None) -> BetterBody | None:
    if better is None:
        return None
    return BetterBody(title=better.title, needs=better.needs, setting=better.setting, command=better.command or None)
