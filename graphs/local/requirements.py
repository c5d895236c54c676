"""Packages that engines need besides VoiceGraph's own dependencies: Debian's, and those of its extras."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from graphs.local.environment import StartError
from models.speech import festival
from models.translation.apertium_modes import find_modes


@dataclass(frozen=True)
class DebianPackages:
    """Packages of Debian that an engine runs.

    Attributes:
        engine: Whose they are.
        names: What apt-get is told.
        brings: What they add, a few words.
        installed: Tell whether they are here.
    """

    engine: str
    names: tuple[str, ...]
    brings: str
    installed: Callable[[], bool]


DEBIAN = (
    DebianPackages(
        "apertium",
        ("apertium", "apertium-eng-spa"),
        "translation between English and Spanish",
        lambda: bool(find_modes()),
    ),
    DebianPackages(
        "festival",
        ("festival", "festvox-ru"),
        "a recorded Russian voice",
        festival.installed,
    ),
)
_MODULES = {"pyannote": ("pyannote", "pip install .[gpu]")}
"""Module that an engine imports, and how to get it where an extra brings it."""


def engines_of(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all engines in the arguments of the application ``graphs``, those inside others too."""
    for role in arguments.values():
        if isinstance(role, Mapping) and isinstance(engine := role.get("engine"), Mapping):
            yield from _names(engine)


def missing_debian_packages(arguments: Mapping[str, Any]) -> list[DebianPackages]:
    """Return the packages that engines of a configuration run and that are not on this machine."""
    engines = set(engines_of(arguments))
    return [packages for packages in DEBIAN if packages.engine in engines and not packages.installed()]


def apt_line(missing: list[DebianPackages]) -> str:
    """Return the command that installs packages."""
    return f"apt-get install {' '.join(name for packages in missing for name in packages.names)}"


def install(missing: list[DebianPackages], on_step: Callable[[str], None]) -> str | None:
    """Install packages by apt-get.

    Args:
        missing: Which.
        on_step: Told what is being done.

    Returns:
        What apt-get says where it fails; None where it does not.

    Raises:
        StartError: This is not Debian, or the user is not root.
    """
    if shutil.which("apt-get") is None:
        raise StartError("APT=1 installs Debian packages, and this machine has no apt-get; leave it out")
    if os.geteuid() != 0:
        raise StartError(f"APT=1 takes root; without it: sudo {apt_line(missing)}")
    names = [name for packages in missing for name in packages.names]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step, command in (
        ("reading Debian's package lists", ["apt-get", "update"]),
        (f"installing {' '.join(names)}", ["apt-get", "install", "--yes", "--no-install-recommends", *names]),
    ):
        on_step(f"{step} (apt-get)")
        done = subprocess.run(  # noqa: S603  # names from the table above
            [*command, "--quiet"], env=environment, capture_output=True, text=True
        )
        if done.returncode:
            said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            return f"{' '.join(command)} failed: {said[-1] if said else f'status {done.returncode}'}"
    return None


def lacking(engine: str) -> str | None:
    """Return the sentence on what an engine lacks to be started at all; None where it lacks nothing.

    Apertium starts without dictionaries, and tells each request how to get them.
    """
    if engine in _MODULES and find_spec(_MODULES[engine][0]) is None:
        return f"{_MODULES[engine][0]} is not installed; get it with: {_MODULES[engine][1]}"
    for packages in DEBIAN:
        if packages.engine == engine != "apertium" and not packages.installed():
            return f"Debian's packages are not installed; get them with: {apt_line([packages])}"
    return None


def _names(engine: Mapping[str, Any]) -> Iterator[str]:
    yield str(engine.get("engine"))
    for member in engine.get("engines") or ():
        yield from _names(member)
