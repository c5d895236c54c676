"""The version stands once, in pyproject.toml; what tells it tells the same."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
VERSION: str = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def test_the_installed_package_tells_the_version() -> None:
    assert version("voicegraph") == VERSION


def test_the_changelog_begins_with_what_is_unreleased_and_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", VERSION]


@pytest.mark.parametrize("file", ["cluster.yaml", "deploy/kuberay/rayservice.yaml", "docs/operation.md"])
def test_images_are_tagged_with_the_version(file: str) -> None:
    tags = re.findall(r"voicegraph:([\w.]+)-(?:cpu|gpu)\b", (REPOSITORY / file).read_text(encoding="utf-8"))
    assert set(tags) == {VERSION}
