"""Imports point one way, in no circle, and heavy libraries stay inside the engines that need them."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("models", "storage", "deployments", "graphs", "training")
WEB = {"fastapi", "starlette", "httpx", "uvicorn"}
FORBIDDEN = {
    "models": {"ray", *WEB, "deployments", "graphs", "storage", "training"},
    "storage": {"ray", *WEB, "deployments", "graphs", "models", "training"},
    "deployments": {"fastapi", "starlette", "graphs", "storage", "training"},
    "graphs": {"training"},
    "training": {"ray", *WEB, "deployments", "graphs", "storage"},
}
# The rooms of graphs/, from the ground up: each imports those before it alone. A module stands for itself.
ROOMS = (
    "graphs.common",
    "graphs.ray_patches",
    "graphs.spoof",
    "graphs.transcription",
    "graphs.translation",
    "graphs.avatar",
    "graphs.assistant",
    "graphs.kinds",
    "graphs.clients",
    "graphs.live",
    "graphs.http.server",
    "graphs.http.observability",
    "graphs.http.server.lifespan",
    "graphs.http.server.live",
    "graphs.http.routes",
    "graphs.http.compat",
    "graphs.http.server.ingress",
    "graphs.worker",
    "graphs.app",
    "graphs.local",
    # Former names.
    "graphs.http.backpressure",
    "graphs.rpc",
)
NO_RAY = ("common", "transcription", "spoof", "translation", "avatar", "assistant", "live")
HEAVY = (
    "torch",
    "torchaudio",
    "transformers",
    "faster_whisper",
    "ctranslate2",
    "pocketsphinx",
    "onnxruntime",
    "pyannote",
    "cv2",
)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> Mapping[str, Path]:
    return {module_of(file): file for package in PACKAGES for file in (REPOSITORY / package).rglob("*.py")}


def imported(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports anywhere in it, and what it imports from modules as if it were one."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def arrows() -> Mapping[str, frozenset[str]]:
    """Return, by module of ours, the modules of ours that it imports."""
    found = {}
    for module, file in modules().items():
        names = {name if name in modules() else name.rpartition(".")[0] for name in imported(file)}
        found[module] = frozenset(names & modules().keys() - {module})
    return found


def room_of(module: str) -> str | None:
    inside = [room for room in ROOMS if module == room or module.startswith(f"{room}.")]
    return max(inside, key=len, default=None)


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_layer_imports_only_what_lies_below_it(package: str) -> None:
    found = {
        f"{module} imports {name}"
        for module, file in modules().items()
        if module.partition(".")[0] == package
        for name in {name.partition(".")[0] for name in imported(file)} & FORBIDDEN[package]
    }
    assert found == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_a_room_of_the_graphs_imports_those_below_it_alone() -> None:
    strangers = {m for m in modules() if m.startswith("graphs.") and modules()[m].name != "__init__.py"}
    assert {module for module in strangers if room_of(module) is None} == set()
    found = {
        f"{module} imports {name}"
        for module, names in arrows().items()
        for name in names
        if (above := room_of(name)) and (own := room_of(module)) and ROOMS.index(above) > ROOMS.index(own)
    }
    assert found == set()


@pytest.mark.slow
def test_the_graphs_and_deployments_load_no_model_library() -> None:
    modules = "graphs.app, graphs.worker, graphs.http.server.ingress, graphs.http.server.live"
    program = f"import sys, {modules}; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("room", NO_RAY)
def test_a_graph_loads_without_ray(room: str) -> None:
    modules = [f"graphs.{room}.{file.stem}" for file in sorted((REPOSITORY / "graphs" / room).glob("*.py"))]
    assert len(modules) > 1
    program = f"import sys, {', '.join(modules)}; print(sorted(m for m in sys.modules if m.partition('.')[0] == 'ray'))"
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
