"""What `make run` starts: it says where it is, serves until Ctrl-C, and leaves no process behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from graphs.local.__main__ import INTERRUPTED
from graphs.local.cluster import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

REPOSITORY = Path(__file__).resolve().parents[2]


def start(data: Path, port: int, *arguments: str) -> subprocess.Popen[str]:
    variables = {**os.environ, "VOICEGRAPH_DATA": str(data), "VOICEGRAPH_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "VOICEGRAPH_ADMIN_KEY"):
        variables.pop(name, None)
    return subprocess.Popen(
        [sys.executable, "-m", "graphs.local", *arguments],
        cwd=REPOSITORY,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell that runs the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def left_of(data: Path) -> list[str]:
    """Find the processes that know this run's data folder, by their environment or their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VOICEGRAPH_DATA") == str(data) or str(data) in " ".join(process.cmdline()):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
        except psutil.Error:
            continue
    return found


def test_it_serves_until_it_is_interrupted_and_leaves_no_process_behind(tmp_path: Path) -> None:
    port = free_port(8321)
    run = start(tmp_path, port)
    assert run.stdout is not None
    lines = []
    for line in run.stdout:
        lines.append(line.rstrip())
        if line.startswith("Serving"):
            break
    said = "\n".join(lines)
    key = next((line.split()[2] for line in lines if line.startswith("API key")), "")
    assert key.startswith("vg_"), said
    assert "Ray dashboard" in said
    assert "SPEAKER_01" in said
    url = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{url}/v1/jobs", headers={"X-API-Key": key}).json()["jobs"][0]["state"] == "succeeded"
    assert left_of(tmp_path)
    os.killpg(run.pid, signal.SIGINT)  # Ctrl-C in a terminal reaches the whole process group
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert left_of(tmp_path) == []


def test_it_can_be_stopped_while_it_starts_and_leaves_no_process_behind(tmp_path: Path) -> None:
    run = start(tmp_path, free_port(8321))
    assert run.stdout is not None
    assert any(line.rstrip().endswith("deploying") for line in run.stdout)
    assert left_of(tmp_path)
    run.terminate()  # as service managers do
    said, _ = run.communicate(timeout=120)
    assert run.returncode == INTERRUPTED, said
    assert left_of(tmp_path) == []


def test_a_second_one_on_the_same_data_is_refused(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = start(tmp_path, free_port(8321), "--once")
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "another VoiceGraph runs on" in said


@pytest.mark.parametrize(
    ("port", "file", "says"),
    [("70000", None, "VOICEGRAPH_PORT"), ("8321", "nothing.wav", "there is no such file")],
)
def test_what_cannot_work_is_said_before_anything_starts(
    tmp_path: Path, port: str, file: str | None, says: str
) -> None:
    run = start(tmp_path, int(port), "--once", *(["--file", file] if file else []))
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert says in said
