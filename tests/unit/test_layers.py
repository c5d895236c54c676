"""Imports point one way, and heavy libraries stay inside the engines that need them."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
FORBIDDEN = {
    "models": {"ray", "fastapi", "starlette", "httpx", "uvicorn", "deployments", "graphs", "storage"},
    "storage": {"ray", "fastapi", "starlette", "httpx", "uvicorn", "deployments", "graphs", "models"},
    "deployments": {"fastapi", "starlette", "graphs", "storage"},
}
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


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_a_layer_imports_only_what_lies_below_it(package: str) -> None:
    found = {
        f"{file.relative_to(REPOSITORY)} imports {name}"
        for file in (REPOSITORY / package).rglob("*.py")
        for name in imported(file)
        if name in FORBIDDEN[package]
    }
    assert found == set()


def test_the_graphs_and_deployments_load_no_model_library() -> None:
    program = f"import graphs.app, sys; print([name for name in {HEAVY} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("room", NO_RAY)
def test_a_graph_loads_without_ray(room: str) -> None:
    modules = [f"graphs.{room}.{file.stem}" for file in sorted((REPOSITORY / "graphs" / room).glob("*.py"))]
    assert len(modules) > 1
    program = f"import sys, {', '.join(modules)}; print(sorted(m for m in sys.modules if m.partition('.')[0] == 'ray'))"
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
