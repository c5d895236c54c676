"""What `make run` refuses before it starts anything."""

import fcntl
from pathlib import Path

import pytest
from local_run import LocalRun

from graphs.local.cluster import free_port

pytestmark = [pytest.mark.unit, pytest.mark.slow]


def test_a_second_one_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = LocalRun.start(tmp_path, free_port(8321), "--once")
        assert run.process.wait(60) == 1
    assert "another VoiceGraph runs on" in run.said()


@pytest.mark.parametrize(
    ("port", "file", "says"),
    [(70000, None, "VOICEGRAPH_PORT"), (8321, "nothing.wav", "there is no such file")],
)
def test_what_cannot_work_is_said_before_anything_starts(
    tmp_path: Path, port: int, file: str | None, says: str
) -> None:
    run = LocalRun.start(tmp_path, port, "--once", *(["--file", file] if file else []))
    assert run.process.wait(60) == 1
    assert says in run.said()
