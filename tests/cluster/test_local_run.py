"""What `make run` leaves behind when it is stopped early; after serving, the system of all other tests shows it."""

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
