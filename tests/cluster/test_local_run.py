"""What `make run` starts and can't, or mustn't: it leaves no process behind.

That it serves until Ctrl-C, and leaves none then, the system of all other tests shows: it is one.
"""

import fcntl
from pathlib import Path

import pytest
from local_run import LocalRun

from graphs.local.__main__ import INTERRUPTED
from graphs.local.cluster import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def test_it_can_be_stopped_while_it_starts_and_leaves_no_process_behind(tmp_path: Path) -> None:
    run = LocalRun.start(tmp_path, free_port(8321))
    run.until(r"deploying$")
    assert run.left()
    assert run.terminate() == INTERRUPTED, run.said()
    assert run.left() == []


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
