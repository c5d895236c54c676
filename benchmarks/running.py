"""A running system for a benchmark, and recordings of any length for it."""

import io
import os
import secrets
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from deployments.logs import configure_logs
from deployments.serve_config import load
from graphs.common.config import ApiConfig, GraphsConfig
from graphs.local.cluster import free_port
from graphs.local.engines import embedded
from graphs.local.environment import Environment, StartError
from graphs.local.model_fetch import local_choice
from graphs.local.models import checked_models
from graphs.local.system import RunningSystem, running
from models.audio import SAMPLE_RATE, decode
from models.samples import DIALOGUE

REPOSITORY = Path(__file__).resolve().parent.parent
LOCAL_CONFIG = REPOSITORY / "serve_config.local.yaml"
MEBIBYTE = 1024 * 1024


def local_config(file: Path = LOCAL_CONFIG) -> dict[str, Any]:
    """Return the configuration of ``make run``, or another, with the engines whose weights are on this machine.

    What is missing is replaced by the embedded engine, and said. With ``MODELS=none`` in the environment the engines
    are those without weights.

    Raises:
        StartError: MODELS says something else.
    """
    config = load(file)
    models = checked_models(os.environ.get("MODELS", ""))
    if models == "full":
        raise StartError("benchmarks take MODELS=none, or the engines of serve_config.local.yaml")
    choice = local_choice(embedded(config) if models == "none" else config)
    for notice in choice.notices:
        print(notice, file=sys.stderr)
    return choice.config


def settings_of(config: Mapping[str, Any]) -> tuple[GraphsConfig, ApiConfig]:
    """Return the settings of a configuration's roles and of its ingress."""
    arguments = {app["name"]: app["args"] for app in config["applications"]}
    return GraphsConfig.model_validate(arguments["graphs"]), ApiConfig.model_validate(arguments["api"])


@contextmanager
def benchmarked(
    change: Callable[[dict[str, Any]], None] = lambda config: None, *, file: Path = LOCAL_CONFIG
) -> Iterator[RunningSystem]:
    """Run the system of ``local_config`` on a fresh data folder."""
    configure_logs("WARNING", readable=True)
    config = local_config(file)
    change(config)
    with tempfile.TemporaryDirectory(prefix="voicegraph-benchmark-") as folder:
        environment = Environment(free_port(8200), Path(folder), secrets.token_urlsafe(24), admin_key_given=True)
        with running(environment, config) as system:
            yield system


def dialogue(seconds: float) -> NDArray[np.float32]:
    """Return the bundled dialogue, repeated to a length."""
    pcm = decode(io.BytesIO(DIALOGUE.read_bytes()))
    samples = int(seconds * SAMPLE_RATE)
    return np.resize(pcm, samples)


def as_wav(pcm: NDArray[np.float32]) -> bytes:
    """Return mono 16-bit WAV at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def process_of(title: str) -> psutil.Process:
    """Find a process of the running system by the title that Ray gives it."""
    for process in psutil.Process().children(recursive=True):
        try:
            if title in " ".join(process.cmdline()):
                return process
        except psutil.Error:
            continue
    raise LookupError(f"no process is called {title}")


def own_bytes(process: psutil.Process) -> int:
    """Return the memory that only this process has (USS), in bytes."""
    return int(process.memory_full_info().uss)
