"""THIRD_PARTY.md names every direct dependency with its licence."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from models.weights.catalogue import SETS
from models.weights.published import _MODELS

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "THIRD_PARTY.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of its level."""
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def first_cells(text: str) -> set[str]:
    """Return what stands in backquotes in the first cells of a section's tables."""
    return {name for row in re.findall(r"^\|([^|]+)\|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}


def test_every_direct_dependency_has_its_line() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = {canonicalize_name(Requirement(line).name) for group in groups for line in group} - {"voicegraph"}
    assert {canonicalize_name(name) for name in first_cells(section("Direct dependencies"))} == declared


def test_published_models_have_their_licence() -> None:
    told = first_cells(section("Weights that engines can load"))
    assert {name for name in _MODELS if not any(re.fullmatch(line.replace("*", ".*"), name) for line in told)} == set()


def test_named_sets_have_their_licence() -> None:
    lines = section("Weights that engines can load").splitlines()
    for name, pinned in SETS.items():
        assert any(f"`set://{name}`" in line and pinned.licence in line for line in lines), name


def test_weights_without_commercial_use_are_marked() -> None:
    forbidding = {name for name, facts in _MODELS.items() if "-nc" in facts.licence}
    lines = [line for line in section("Weights that engines can load").splitlines() if "**no commercial use**" in line]
    marked = {name for line in lines for name in first_cells(line)}
    assert forbidding
    assert {name for name in forbidding if not any(re.fullmatch(m.replace("*", ".*"), name) for m in marked)} == set()
