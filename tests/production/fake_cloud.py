"""A Ray cluster on this machine whose nodes are pretended, started and ended by Ray's own autoscaler.

It is what ``ray.cluster_utils.AutoscalingCluster`` sets up: the fake multi-node provider behind the second autoscaler,
which ``ray up`` uses too. That class itself ends every Ray on the machine at its start and at its end, and wants a file
that Ray's wheel lacks. Here nothing is shared with another Ray: not a port, not a folder, not a process.
"""

import json
import os
import random
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from waiting import wait_for

START_S = 240.0
GONE_S = 60.0
HEAD = "f" * 51 + "00000"
"""The node id by which the provider knows the head."""

_FAILED = "failed"
_MARK = "VOICEGRAPH_TESTS_CLOUD"
NODE = "RAY_OVERRIDE_NODE_ID_FOR_TESTING"
_LISTS = (
    "cluster_synced_files",
    "initialization_commands",
    "rsync_exclude",
    "rsync_filter",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
)
# Nodes are looked for and, when they are dead, missed soon; Ray's other processes look around less often.
_RAY = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "LOG_NAME_UPDATE_INTERVAL_S": "5",
    "RAY_CLOUD_INSTANCE_ID": HEAD,
    "RAY_FAKE_CLUSTER": "1",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "RAY_enable_autoscaler_v2": "1",
    "RAY_health_check_period_ms": "1000",
    # What else runs on this machine is no reason to end replicas.
    "RAY_memory_monitor_refresh_ms": "0",
    # As many workers as a pretended node has cores would start for nothing.
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",
    "REPORTER_UPDATE_INTERVAL_MS": "10000",
}


def free_ports() -> Iterator[int]:
    """Yield free TCP ports below those that the system hands out by itself."""
    numbers = list(range(20_000, 30_000))
    random.shuffle(numbers)
    for number in numbers:
        with socket.socket() as probe:
            try:
                probe.bind(("", number))
            except OSError:
                continue
        yield number


class FakeCloud:
    """The cluster.

    Args:
        folder: For everything that Ray writes; a short path, for Ray's sockets lie below it.
        head: Resources of the head node.
        workers: Node types that the autoscaler may start, as ``available_node_types`` of a cluster file has them.
        environment: Variables of every process of the cluster, besides this process's own.
        ports: Free ones.
        idle_minutes: A node without work is ended after so long.
    """

    def __init__(
        self,
        folder: Path,
        head: Mapping[str, float],
        workers: Mapping[str, Mapping[str, Any]],
        environment: Mapping[str, str],
        ports: Iterator[int],
        idle_minutes: float,
    ) -> None:
        self._gcs_port, self._dashboard_port = next(ports), next(ports)
        self._other_ports = {
            name: next(ports)
            for name in (
                "dashboard-agent-listen-port",
                "dashboard-agent-grpc-port",
                "metrics-export-port",
                "ray-client-server-port",
                "runtime-env-agent-port",
            )
        }
        self._folder = folder
        self._head = head
        self._workers = {name: {"node_config": {}, **described} for name, described in workers.items()}
        self._idle_minutes = idle_minutes
        self._mark = uuid.uuid4().hex
        self.environment = {**environment, **_RAY, "AUTOSCALER_METRIC_PORT": str(next(ports)), _MARK: self._mark}
        tests = Path(__file__).parents[1]
        self.environment["PYTHONPATH"] = f"{tests / 'production'}{os.pathsep}{tests}"
        self.url = f"http://127.0.0.1:{self._dashboard_port}"
        self.address = f"127.0.0.1:{self._gcs_port}"
        token = environment.get("RAY_AUTH_TOKEN", "")
        self._dashboard = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        self._process: subprocess.Popen[bytes] | None = None
        self._file = folder / "autoscaler.json"
        self._log = folder / "ray-start.log"

    def start(self) -> None:
        """Start the head; return when it answers."""
        self._write()
        for _attempt in range(3):
            self._start_head()
            if wait_for(lambda: self._failed() or self._answers(), START_S, self._said) != _FAILED:
                return
            # Where the machine is busy beyond measure, Ray gives up after 30 s.
            self._end()
        raise AssertionError(self._said())

    def stop(self) -> None:
        """End every process of the cluster."""
        self._end()
        self._dashboard.close()

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return what Ray says of each node that lives, by its id."""
        listed = self.get("/api/v0/nodes?detail=1")["data"]["result"]["result"]
        return {node["node_id"]: node for node in listed if node["state"] == "ALIVE"}

    def nodes_with(self, resource: str) -> set[str]:
        """Return the ids of the nodes that live and have some of a resource."""
        return {name for name, node in self.nodes().items() if node["resources_total"].get(resource)}

    def keep(self, node_type: str, count: int) -> None:
        """Have the autoscaler keep so many nodes of a type at least, as a changed cluster file would."""
        self._workers[node_type]["min_workers"] = count
        self._write()

    def kill(self, node: str) -> None:
        """Kill all processes of a node at once, as a power cut would."""
        found = [process for process in self._mine() if process.environ().get(NODE) == node]
        assert len(found) > 1, f"node {node} does not run"
        wait_for(lambda: not _kill(found), GONE_S, lambda: found)

    def get(self, path: str) -> Any:
        """Ask Ray's dashboard."""
        assert not self._failed(), self._said()
        return self._dashboard.get(path).raise_for_status().json()

    def run(self, *command: str) -> str:
        """Run a command of the virtual environment against the cluster, and return what it prints."""
        name, *arguments = command
        done = subprocess.run(
            [str(Path(sys.executable).with_name(name)), *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _start_head(self) -> None:
        options = {
            "port": self._gcs_port,
            "dashboard-port": self._dashboard_port,
            **self._other_ports,
            "temp-dir": self._folder,
            "autoscaling-config": self._file,
            "num-cpus": self._head.get("CPU", 0),
            "num-gpus": 0,
            "object-store-memory": 100 * 2**20,
            "include-log-monitor": "false",
        }
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in options.items())],
                env={**self.environment, NODE: HEAD},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        with suppress(httpx.HTTPStatusError):
            return HEAD in self.nodes()
        return False

    def _failed(self) -> str:
        return _FAILED if self._process is None or self._process.poll() is not None else ""

    def _end(self) -> None:
        wait_for(lambda: not _kill(self._mine()), GONE_S, self._mine)
        if self._process is not None:
            self._process.wait(GONE_S)

    def _write(self) -> None:
        head = {"resources": dict(self._head), "node_config": {}, "max_workers": 0}
        provider = {
            "type": "external",
            "module": "patient_provider.PatientNodeProvider",
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "launch_multiple": True,
            "head_node_id": HEAD,
            "gcs_address": self.address,
            "session": str(self._folder / "session_latest"),
        }
        description = {
            "cluster_name": "fake",
            "provider": provider,
            "max_workers": sum(node_type["max_workers"] for node_type in self._workers.values()),
            "idle_timeout_minutes": self._idle_minutes,
            "available_node_types": {"ray.head.default": head, **self._workers},
            "head_node_type": "ray.head.default",
            "file_mounts": {},
            "file_mounts_sync_continuously": False,
            **{key: [] for key in _LISTS},
        }
        # In one step: the autoscaler reads the file every second.
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(description))
        written.replace(self._file)

    def _mine(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]


def own_environment() -> dict[str, str]:
    """Return this process's environment without what is meant for another Ray or another VoiceGraph."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VOICEGRAPH_"))}


def _kill(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Kill processes, and return those that were alive."""
    alive = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                process.kill()
                alive.append(process)
    return alive
