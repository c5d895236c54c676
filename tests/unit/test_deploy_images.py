"""The Dockerfile copies what exists, installs what pyproject.toml names, and has neither root nor secrets."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphs.ray_patches.backpressure import PROXY_HOOK, PROXY_HOOK_VARIABLE

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the Dockerfile's instructions with their arguments, comments and line breaks taken out."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    for instruction in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if instruction.strip():
            name, _, arguments = instruction.strip().partition(" ")
            yield name, arguments.strip()


def copied() -> list[str]:
    sources = []
    for name, arguments in instructions():
        if name == "COPY":
            sources += [word for word in shlex.split(arguments) if not word.startswith("--")][:-1]
    return sources


def test_every_copied_file_exists_and_reaches_the_builder() -> None:
    ignore = (REPOSITORY / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert "*" in ignore
    for source in copied():
        assert (REPOSITORY / source).exists()
        assert source in let_through


def test_every_package_of_the_project_is_copied() -> None:
    packages = {pattern.removesuffix("*") for pattern in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages <= set(copied())


def test_every_extra_that_is_installed_exists_and_every_install_is_constrained() -> None:
    installs = [command for _, arguments in instructions() for command in re.findall(r"pip install [^&]+", arguments)]
    assert installs
    for command in installs:
        assert "--constraint constraints.txt" in command
        for extra in re.findall(r"\.\[(\w+)\]", command):
            assert extra in PROJECT["project"]["optional-dependencies"]


def test_packages_beside_the_project_s_are_pinned() -> None:
    pinned = {
        re.split(r"==", line)[0].lower() for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if line
    }
    text = " ".join(arguments for name, arguments in instructions() if name == "RUN")
    beside = re.findall(r"pip install --constraint constraints.txt (?:--[\w-]+ )*([a-z][\w-]+)", text)
    assert set(beside) == {"opencv-python-headless", "nvidia-cublas-cu12"}
    assert set(beside) <= pinned


def test_the_container_does_not_run_as_root() -> None:
    users = [arguments for name, arguments in instructions() if name == "USER"]
    assert users[0] == users[-1] == "ray"


def test_the_node_s_environment_is_in_the_image_and_no_secret_is() -> None:
    text = " ".join(arguments for name, arguments in instructions() if name == "ENV")
    environment = dict(re.findall(r"(\w+)=(\S+)", text))
    assert environment[PROXY_HOOK_VARIABLE] == PROXY_HOOK
    assert environment["RAY_SERVE_USE_PACK_SCHEDULING_STRATEGY"] == "1"
    assert not any(re.search("KEY|TOKEN|PASSWORD|SECRET|DATABASE", name) for name in environment)
