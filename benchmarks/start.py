"""What the start of the local system is made of, until everything is ready.

python -m benchmarks.start [--starts 3] [--config serve_config.local.yaml] [--repository DIRECTORY]

Each start runs ``python -m graphs.local`` of the repository on one data folder, which the first one fills: the first is
left out of the medians. Prints JSON: seconds until each step, CPU seconds until ready of all processes together, and of
each by its title. CPU seconds say more than seconds where other programs run beside it.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import IO, Any

import psutil

from benchmarks.running import REPOSITORY
from graphs.local.cluster import free_port

SAMPLE_EVERY_S = 0.25
STOP_TIMEOUT_S = 120
_STEP = re.compile(r"^ *[\d.]+ s  (?P<step>.+)$")
_WAITING = "waiting for "
_PROGRAMS = {
    "gcs_server": "gcs_server",
    "raylet/raylet": "raylet",
    "dashboard/dashboard.py": "dashboard",
    "dashboard/agent.py": "dashboard agent",
    "runtime_env/agent": "runtime environment agent",
    "log_monitor.py": "log monitor",
    "postgres": "PostgreSQL",
    "graphs.local": "launcher",
}


class CpuSeconds:
    """CPU seconds of a process and all below it, also of those that have ended, as sampled in a thread.

    Args:
        root: Process id of the topmost.
    """

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._seconds: dict[tuple[int, float], float] = {}
        self._titles: dict[tuple[int, float], str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, float]:
        """Take a last sample; return the seconds by title."""
        self._over.set()
        self._thread.join()
        self._sample()
        by_title: dict[str, float] = defaultdict(float)
        for key, seconds in self._seconds.items():
            by_title[self._titles[key]] += seconds
        return dict(by_title)

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return
        for process in processes:
            try:
                key = (process.pid, process.create_time())
                times = process.cpu_times()
                title = _title(process.cmdline())
            except psutil.Error:
                continue
            self._seconds[key] = times.user + times.system
            # A worker that ran a task falls idle again; its title at work tells more.
            if title != "ray::IDLE" or key not in self._titles:
                self._titles[key] = title


def _title(command: list[str]) -> str:
    line = " ".join(command)
    if line.startswith("ray::"):
        return line.split("(")[0].strip()
    return next((title for part, title in _PROGRAMS.items() if part in line), line[:200])


def one_start(repository: Path, config: Path, data: Path) -> dict[str, Any]:
    """Start the system, stop it once it is ready, and return the figures."""
    variables = {
        **os.environ, "PYTHONPATH": str(repository), "VOICEGRAPH_DATA": str(data),
        "VOICEGRAPH_PORT": str(free_port(8300)), "COLUMNS": "400",
    }  # fmt: skip
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "graphs.local", "--config", str(config)],
        cwd=repository, env=variables, stdout=subprocess.PIPE, stderr=sys.stderr, text=True,
    )  # fmt: skip
    cpu = CpuSeconds(process.pid)
    assert process.stdout is not None
    try:
        steps = _follow(process.stdout, started)
        seconds = cpu.stop()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=STOP_TIMEOUT_S)
    return {
        "ready": steps.pop("ready"),
        "cpu_seconds": round(sum(seconds.values()), 1),
        "steps": steps,
        "cpu_seconds_by_process": {
            title: round(value, 2) for title, value in sorted(seconds.items(), key=lambda item: -item[1])
        },
    }


def _follow(output: IO[str], started: float) -> dict[str, float]:
    """Return when each step began and each part was healthy, in seconds since the start, until all is ready."""
    steps: dict[str, float] = {}
    waiting: set[str] = set()
    for line in output:
        now = round(time.monotonic() - started, 2)
        if line.startswith("Ready"):
            steps["ready"] = now
            return steps
        if line.startswith("Error"):
            raise RuntimeError(line)
        found = _STEP.match(line)
        if found is None:
            continue
        step = found["step"]
        if not step.startswith(_WAITING):
            steps[step] = now
            continue
        left = set(step.removeprefix(_WAITING).split(", "))
        if not waiting:
            steps["deployed"] = now
        steps.update({f"{name} healthy": now for name in waiting - left})
        waiting = left
    raise RuntimeError("the system stopped before it was ready")


def main() -> None:
    """Run the starts and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=3, help="how many count; one more goes before them")
    parser.add_argument("--config", type=Path, default=Path("serve_config.local.yaml"))
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help="whose code is started")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="voicegraph-start-") as folder:
        repository = arguments.repository.resolve()
        starts = [one_start(repository, arguments.config, Path(folder)) for _ in range(arguments.starts + 1)]
    first, *others = starts
    figures = {
        "ready": statistics.median(start["ready"] for start in others),
        "cpu_seconds": statistics.median(start["cpu_seconds"] for start in others),
        "first": first,
        "starts": others,
    }
    json.dump(figures, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
