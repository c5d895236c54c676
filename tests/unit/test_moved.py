"""Names that operators copied from an earlier release: they still work, and say where they moved."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from ray.serve._private import proxy

from deployments.serve_config import check
from graphs.http.backpressure import bound_proxy
from graphs.http.compat.realtone.rpc import routing
from graphs.ray_patches.backpressure import PROXY_HOOK_VARIABLE, BoundedMessageQueue, proxy_is_bounded
from graphs.rpc.routing import add_audio_analysis
from models.moved import run_moved

pytestmark = [pytest.mark.unit, pytest.mark.slow]

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("former", "present"),
    [
        ("deployments.plan", "deployments.planning"),
        ("models.spoof.train", "training.spoof.train"),
        ("models.spoof.evaluate", "training.spoof.evaluate"),
        ("models.speaker.train", "training.speaker.train"),
    ],
)
def test_a_former_command_runs_the_present_one_and_names_it(former: str, present: str) -> None:
    command = [sys.executable, "-m", former, "--help"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    assert "usage:" in said.stdout
    assert f"use python -m {present}" in said.stderr


def test_a_command_that_the_wheel_lacks_is_said_to_be_in_the_repository() -> None:
    with pytest.raises(SystemExit, match="comes with the repository"):
        run_moved("models.nothing.train", "no_such_package.train")


def test_the_former_proxy_hook_installs_the_bound_and_counts_as_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy, "MessageQueue", BoundedMessageQueue.__mro__[1])
    with caplog.at_level(logging.WARNING):
        assert bound_proxy() == []
    assert proxy.MessageQueue is BoundedMessageQueue  # type: ignore[attr-defined]
    assert "graphs.ray_patches.backpressure:bound_proxy" in caplog.text
    monkeypatch.setenv(PROXY_HOOK_VARIABLE, "graphs.http.backpressure:bound_proxy")
    assert proxy_is_bounded()


def test_the_former_servicer_function_is_accepted_and_forwards(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    check({"grpc_options": {"grpc_servicer_functions": ["graphs.rpc.routing:add_audio_analysis"]}, "applications": []})
    added: list[tuple[object, object]] = []
    monkeypatch.setattr(routing, "add_audio_analysis", lambda servicer, server: added.append((servicer, server)))
    add_audio_analysis("servicer", "server")
    assert added == [("servicer", "server")]
    assert "graphs.http.compat.realtone.rpc.routing:add_audio_analysis" in caplog.text
