"""Choice of each role's engine on this machine: the configured one, or what takes its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.local.requirements import lacking
from models.errors import AlteredWeights, MissingWeights
from models.weights.configuration import Need, needs_of_engine
from models.weights.sources import LocalSource, SetSource

GRAPHS = "graphs.app:graphs"

EMBEDDED: Mapping[str, Mapping[str, Any]] = {
    "asr": {"engine": "pocketsphinx"},
    "diarization": {"engine": "clustering"},
    "speech": {"engine": "espeak"},
    "lipsync": {"engine": "mouth-warp"},
}
"""Engines without weights and without Debian packages, for roles that are configured to have better ones."""

_NOTICE_CHARS = 500
_REASON_CHARS = 300

Engine = Mapping[str, Any]
Resolve = Callable[[Need], None]
"""Makes weights available, or raises ``MissingWeights``."""


@dataclass(frozen=True)
class Choice:
    """Engines of all roles.

    Attributes:
        config: The Serve configuration with them, and with a ``notice`` at each role whose engine stands in.
        notices: The same sentences, in order.
    """

    config: dict[str, Any]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _Usable:
    """An engine, as far as it can be had.

    Attributes:
        engine: Its settings, without members that can't be had; None where nothing is left.
        faults: What can't be had, and why.
    """

    engine: Engine | None
    faults: tuple[str, ...] = ()


def arguments_of_graphs(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of the application that has the roles; empty where there is none."""
    found = (app.get("args") for app in config.get("applications", ()) if app.get("import_path") == GRAPHS)
    return next(found, None) or {}


def with_engines(config: Mapping[str, Any], engines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a configuration with other settings of some roles.

    Args:
        config: Of Serve.
        engines: What is changed of each role's settings, by role; a ``notice`` of None is left out.
    """

    def changed(application: Mapping[str, Any]) -> Mapping[str, Any]:
        if application.get("import_path") != GRAPHS:
            return application
        arguments = dict(application.get("args") or {})
        for role, settings in engines.items():
            merged = {**(arguments.get(role) or {}), **settings}
            arguments[role] = {name: value for name, value in merged.items() if value is not None}
        return {**application, "args": arguments}

    return {**config, "applications": [changed(application) for application in config["applications"]]}


def embedded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the embedded engines, as ``MODELS=none`` takes them."""
    return with_engines(config, {role: {"engine": dict(engine), "notice": None} for role, engine in EMBEDDED.items()})


def preferences(*configs: Mapping[str, Any]) -> dict[str, list[Engine]]:
    """Return each role's engines in the order in which they are tried, the embedded one last.

    Args:
        configs: The best configuration first. Roles that name no engine are left out.
    """
    found: dict[str, list[Engine]] = {}
    for config in configs:
        for role, settings in arguments_of_graphs(config).items():
            engine = settings.get("engine") if isinstance(settings, Mapping) else None
            if isinstance(engine, Mapping) and engine not in found.setdefault(role, []):
                found[role].append(engine)
    for role, engine in EMBEDDED.items():
        if role in found and engine not in found[role]:
            found[role].append(engine)
    return found


def choose(config: Mapping[str, Any], tried: Mapping[str, Sequence[Engine]], resolve: Resolve) -> Choice:
    """Take the first engine of each role that can be had.

    Args:
        config: Of Serve.
        tried: See ``preferences``.
        resolve: Makes weights available.

    Raises:
        AlteredWeights: A source of weights gave other bytes than it must.
    """
    changes: dict[str, Mapping[str, Any]] = {}
    notices = []
    for role, engines in tried.items():
        faults: list[str] = []
        for engine in engines:
            usable = _usable(role, engine, resolve)
            faults += usable.faults
            if usable.engine is not None:
                notice = _notice(role, usable.engine, faults) if faults else None
                changes[role] = {"engine": dict(usable.engine), "notice": notice}
                notices += [notice] if notice else []
                break
        # Where nothing is left, the configured engine says at its start what it lacks.
    return Choice(with_engines(config, changes), tuple(notices))


def _usable(role: str, engine: Engine, resolve: Resolve) -> _Usable:
    if engine.get("engine") == "combined":
        members = [_usable(role, member, resolve) for member in engine.get("engines") or ()]
        kept = [dict(member.engine) for member in members if member.engine is not None]
        faults = tuple(fault for member in members for fault in member.faults)
        return _Usable({**engine, "engines": kept} if kept else None, faults)
    name = str(engine.get("engine"))
    if fault := lacking(name):
        return _Usable(None, (f"{name}: {fault}",))
    for need in needs_of_engine(role, engine):
        try:
            resolve(need)
        except AlteredWeights:
            raise
        except MissingWeights as error:
            # Settings of a part of the engine: the engine without it may be what answers.
            part = need.reference.setting.rpartition(".")[0]
            lacking_part = f"{name} ({part})" if part else name
            return _Usable(None, (f"{lacking_part}: {_reason(need, error)}",))
    return _Usable(engine)


def fetched_needs(tried: Mapping[str, Sequence[Engine]], *, sets_only: bool) -> Iterator[Need]:
    """Yield the needs of the first engine of each role that a start fetches.

    Args:
        tried: See ``preferences``.
        sets_only: Leave out what is not a named set.
    """
    for role, engines in tried.items():
        members = engines[0].get("engines") if engines[0].get("engine") == "combined" else (engines[0],)
        for member in members or ():
            if lacking(str(member.get("engine"))) is None:
                yield from (need for need in needs_of_engine(role, member) if is_fetched(need, sets_only=sets_only))


def is_fetched(need: Need, *, sets_only: bool) -> bool:
    """Tell whether a start may fetch what a setting names."""
    try:
        source = need.reference.weights.source(need.reference.name)
    except (MissingWeights, ValueError):
        return False
    return isinstance(source, SetSource) if sets_only else not isinstance(source, LocalSource)


def _notice(role: str, engine: Engine, faults: Sequence[str]) -> str:
    """Return the sentence on what takes a better engine's place, and why."""
    names = [str(member.get("engine")) for member in engine.get("engines") or ()] or [str(engine.get("engine"))]
    verb = "answer" if len(names) > 1 else "answers"
    return _shortened(f"{role}: {' and '.join(names)} {verb}, without {'; without '.join(faults)}.", _NOTICE_CHARS)


def _reason(need: Need, error: MissingWeights) -> str:
    """Return why weights could not be had, and how to get them."""
    name = need.reference.name
    if not isinstance(need.reference.weights.source(name), SetSource):
        return _shortened(str(error), _REASON_CHARS)
    reason = _shortened(str(error.__cause__ or error), _REASON_CHARS)
    return f"the weights {name} are missing ({reason}); get them with: python -m models.weights pull {name}"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
