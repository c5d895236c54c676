"""Ray and Serve on this machine: start, deploy, wait, stop."""

import logging
import os
import re
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx
import psutil
import ray
from ray import serve

from graphs.local.environment import StartError
from graphs.ray_patches.backpressure import PROXY_HOOK, PROXY_HOOK_VARIABLE
from graphs.ray_patches.node_processes import PostponedDashboard, postponed_dashboard

DASHBOARD_PORT = 8265
READY_TIMEOUT_S = 300.0
_RAISED = re.compile(r"^[A-Za-z_][\w.]*: ", re.MULTILINE)
# How often Ray's own processes look around. Their defaults suit big machines; on two cores they are felt.
_CALM = {
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "LOG_NAME_UPDATE_INTERVAL_S": "5",
    "REPORTER_UPDATE_INTERVAL_MS": "10000",
}
# Serve's own limit is 2 GiB, held in memory before a key is looked at; a call has two short texts, its answer a score
# for every 4 s.
_GRPC_MESSAGE_BYTES = 4 * 1024 * 1024
LEFTOVER_GRACE_S = 5.0


def free_port(preferred: int) -> int:
    """Return the preferred port if nothing listens there, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError("no free TCP port on 127.0.0.1")


@dataclass(frozen=True)
class Dashboard:
    """Ray's dashboard; whoever has the token may run code through it.

    Attributes:
        url: Where it is, once it has been started.
        token: Its token.
        process: Starts it.
    """

    url: str
    token: str
    process: PostponedDashboard


@contextmanager
def ray_with_dashboard(num_gpus: int | None = None) -> Iterator[Dashboard]:
    """Run a Ray of our own for the length of the block; no process of it stays behind.

    Args:
        num_gpus: GPUs that it hands out; left out, those that it finds.
    """
    before = set(psutil.Process().children(recursive=True))
    try:
        dashboard = _start(num_gpus)
        try:
            yield dashboard
        finally:
            dashboard.process.stop()
    finally:
        _stop(before)


def _start(num_gpus: int | None) -> Dashboard:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_EXPORT_COUNTER_AS_GAUGE", "0")
    os.environ.setdefault("RAY_SERVE_GRPC_MAX_MESSAGE_SIZE", str(_GRPC_MESSAGE_BYTES))
    os.environ[PROXY_HOOK_VARIABLE] = PROXY_HOOK
    for name, value in _CALM.items():
        os.environ.setdefault(name, value)
    token = secrets.token_hex(32)
    os.environ["RAY_AUTH_TOKEN"] = token
    # Ray would read this variable, and join a cluster instead of starting one.
    os.environ.pop("RAY_ADDRESS", None)
    port = free_port(DASHBOARD_PORT)
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with postponed_dashboard() as process:
        ray.init(
            address="local",
            num_gpus=num_gpus,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=port,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=True,
        )
    # Ray installs a handler that aborts the process three seconds after a SIGTERM, in the middle of an orderly stop.
    signal.signal(signal.SIGTERM, on_sigterm)
    return Dashboard(f"http://127.0.0.1:{port}", token, process)


def wait_until_ready(url: str, on_change: Callable[[str], None]) -> None:
    """Wait until the ingress says that everything is ready.

    Args:
        url: Base URL of the ingress.
        on_change: Told in a few words what is being waited for.

    Raises:
        StartError: A deployment failed, with its reason, or time is over.
    """
    deadline = time.monotonic() + READY_TIMEOUT_S
    with httpx.Client(timeout=10) as client:
        while time.monotonic() < deadline:
            try:
                if client.get(f"{url}/ready").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            on_change(_state())
            time.sleep(0.25)
    raise StartError(
        f"not ready after {READY_TIMEOUT_S:.0f} s; see Ray's dashboard and logs in /tmp/ray/session_latest"
    )


def root_cause(message: str) -> str:
    """Return what the last exception of Serve's message says, without the traceback above it."""
    raised = list(_RAISED.finditer(message))
    return message[raised[-1].end() :].strip() if raised else message


def _state() -> str:
    waiting = []
    for name, application in serve.status().applications.items():
        for deployment, status in application.deployments.items():
            if status.status.value in ("UNHEALTHY", "DEPLOY_FAILED"):
                raise StartError(f"deployment {deployment} can't start: {root_cause(status.message)}")
        if application.status.value == "DEPLOY_FAILED":
            raise StartError(f"application {name} can't be deployed: {root_cause(application.message)}")
        for deployment, status in application.deployments.items():
            if status.status.value != "HEALTHY":
                waiting.append(deployment)
        if not application.deployments:
            waiting.append(name)
    return f"waiting for {', '.join(sorted(waiting))}" if waiting else "waiting for the ingress"


def _stop(before: set[psutil.Process]) -> None:
    """Stop Serve and Ray, and whatever process of theirs is still there a few seconds later."""
    family = {child for child in psutil.Process().children(recursive=True) if not _is_postgres(child)} - before
    if ray.is_initialized():
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()
    _gone, alive = psutil.wait_procs(family, timeout=LEFTOVER_GRACE_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=LEFTOVER_GRACE_S)


def _is_postgres(process: psutil.Process) -> bool:
    """Tell whether a process is of PostgreSQL, which starts beside Ray and is stopped after it, by its supervisor."""
    try:
        return process.name() == "postgres"
    except psutil.NoSuchProcess:
        return False
