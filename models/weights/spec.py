"""Specification of the weights that an engine needs."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from models.errors import MissingWeights
from models.weights.catalogue import named_set
from models.weights.sources import (
    HubSource,
    LocalSource,
    S3Source,
    SetSource,
    Source,
    has_scheme,
    parse_repository,
    parse_uri,
)


@dataclass(frozen=True, eq=False)
class Weights:
    """Annotation of a setting that names weights, with the files that the engine needs of them.

    As ``Annotated[str, Weights(...)]`` it checks names as far as that goes without looking for them: a URI is well
    formed, of a known scheme, without ``..`` or credentials. Paths (`os.PathLike`) are taken too.

    Attributes:
        files: What must be there: paths inside the folder, ``*`` standing for any part of a name. Of several with ``|``
            between, the first that there is. Empty for a setting that names a single file.
        more: What is fetched besides where there is such a file.
        kind: Whether the setting names a folder or a file.
        hub_ids: A bare ``owner/name`` is a model on the Hugging Face Hub, unless there is such a folder.
        aliases: Short names and what they stand for.
        conversion: How the folder is made of a checkpoint that lacks ``files``.
        how: How to get them where there is no such path, the end of a sentence; ``{path}`` is filled in.
        licence: Of the only weights that fit, where the setting rather than the name tells it.
    """

    files: tuple[str, ...] = ()
    more: tuple[str, ...] = ("*.json",)
    kind: Literal["folder", "file"] = "folder"
    hub_ids: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)
    conversion: "Conversion | None" = None
    how: str = "fetch it with: hf download OWNER/NAME --local-dir {path}"
    licence: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._checked, handler(source))

    def source(self, name: str) -> Source:
        """Return what a name stands for.

        Raises:
            MissingWeights: It is neither a path nor an id on the Hub.
            ValueError: It is a URI that is not well formed.
        """
        name = self.aliases.get(name, name)
        if has_scheme(name):
            return parse_uri(name)
        path = Path(name).expanduser()
        if not self.hub_ids or path.is_absolute() or name.startswith(".") or path.exists():
            return LocalSource(path)
        if found := parse_repository(name):
            return found
        known = f", nor one of {', '.join(self.aliases)}" if self.aliases else ""
        raise MissingWeights(f"{name!r} is neither a {self.kind} nor an id on the Hugging Face Hub, owner/name{known}")

    def chosen(self, paths: Iterable[str]) -> list[str] | None:
        """Return those of some paths that are to be fetched, in order; None where ``files`` are missing.

        Of a setting that names a file, the only path.
        """
        paths = sorted(paths)
        if self.kind == "file":
            return paths if len(paths) == 1 else None
        taken: set[str] = set()
        for names in self.files:
            found = next(filter(None, (_matching(paths, name) for name in names.split("|"))), [])
            if not found:
                return None
            taken.update(found)
        return sorted(taken.union(*(_matching(paths, name) for name in self.more)))

    def missing(self, place: Path) -> list[str]:
        """Return what a place on this machine lacks, each as a phrase; empty where it can be used."""
        if self.kind == "file":
            return [] if place.is_file() else [place.name]
        return [
            names.replace("|", " or ")
            for names in self.files
            if not any(path.is_file() for name in names.split("|") for path in place.glob(name))
        ]

    def _checked(self, value: Any) -> Any:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str):
            return value
        if not value or value != value.strip() or not value.isprintable():
            raise ValueError("must be a name without white space around it")
        if has_scheme(value):
            source = parse_uri(value)
            if isinstance(source, SetSource):
                self._check_set(source)
            if self.kind == "file" and isinstance(source, HubSource) and not source.inside:
                raise ValueError("must name a file of the model: hf://owner/name/path/of/the/file")
            if self.kind == "file" and isinstance(source, S3Source) and not source.key:
                raise ValueError("must name a file in the bucket: s3://bucket/path/of/the/file")
        return value

    def _check_set(self, source: SetSource) -> None:
        found = named_set(source.name)
        paths = [file.path for file in found.files]
        if self.kind == "file" and source.inside not in paths:
            raise ValueError(f"must name a file of the set: set://{source.name}/{paths[0]}")
        folder = f"{source.inside}/" if source.inside else ""
        inside = [path.removeprefix(folder) for path in paths if path.startswith(folder)]
        if self.kind == "folder" and self.chosen(inside) is None:
            raise ValueError(f"names {source}, which holds {found.description}, and not what this setting takes")


@dataclass(frozen=True)
class Conversion:
    """Conversion of a published checkpoint to the folder that an engine needs.

    Attributes:
        checkpoint: What the checkpoint must have.
        make: Converts; given the checkpoint's folder, the folder to be made, and what the checkpoint is called.
        command: That does the same by hand; ``{name}`` and ``{path}`` are filled in.
    """

    checkpoint: Weights
    make: Callable[[Path, Path, str], None]
    command: str


def _matching(paths: Iterable[str], pattern: str) -> list[str]:
    """Return the paths that a pattern matches; ``*`` does not cross a slash."""
    parts = pattern.split("/")
    return [
        path for path in paths if len(names := path.split("/")) == len(parts) and all(map(fnmatchcase, names, parts))
    ]
