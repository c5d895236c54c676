"""The shipped cluster.yaml and serve_config.yaml, changed by no more than a machine without GPUs and weights needs."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from fake_cloud import own_environment
from tiny_weights import tiny_backbone

REPOSITORY = Path(__file__).resolve().parents[2]
SERVE_CONFIG = REPOSITORY / "serve_config.yaml"

# Cores of the instance types; Ray counts them on the nodes themselves.
_CORES = {"m6i.2xlarge": 8, "g6.2xlarge": 8}
# How to compute, not what: a GPU's arithmetic is not a CPU's.
_ON_A_CPU = {"device": "cpu", "compute_type": "float32", "precision": "float32"}
# Replicas come and go within seconds, so that a test can watch it.
_IMPATIENT = {"look_back_period_s": 5.0, "upscale_delay_s": 1.0, "downscale_delay_s": 15.0}


def node_types() -> dict[str, dict[str, Any]]:
    """Return the node types of cluster.yaml by name: what Ray counts on them, and how many there may be."""
    cluster = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())
    types: dict[str, dict[str, Any]] = {}
    for name, described in cluster["available_node_types"].items():
        cores = _CORES.get(described["node_config"]["InstanceType"], 0)
        limits = {key: described[key] for key in ("min_workers", "max_workers", "priority") if key in described}
        types[name] = {"resources": {"CPU": cores, **described["resources"]}, **limits}
    return types


def node_environment(folder: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that a node's ``ray start`` gets: deploy/cluster/node.sh, with an ``env`` beside it.

    Args:
        folder: Where copies of both go.
        secrets: What the operator writes into ``env``.
    """
    folder.mkdir()
    shutil.copy(REPOSITORY / "deploy" / "cluster" / "node.sh", folder)
    (folder / "env").write_text("".join(f"{name}={value}\n" for name, value in secrets.items()))
    shown = subprocess.run(
        ["bash", "-ec", f". {folder}/node.sh && env -0"],
        env=own_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in shown.stdout.split("\0") if line)


def serve_config(folder: Path, port: int, grpc_port: int) -> dict[str, Any]:
    """Return serve_config.yaml on the CPU, on other ports.

    Changed are: of each engine its device and its arithmetic; the size of the spoof detector's network, which it has
    from elsewhere than its weights; the ports; one proxy in place of one on every node, because all pretended nodes
    have one address; and the delays of autoscaling. Nothing else is touched: weights are named as they are shipped and
    come from S3, the database and the bucket come from the environment; engines, shares of the GPU, batching, bounds,
    health checks and the targets of scaling are the shipped ones.

    Args:
        folder: For what a setting must name on this machine.
        port: Of HTTP.
        grpc_port: Of gRPC.
    """
    config: dict[str, Any] = yaml.safe_load(SERVE_CONFIG.read_text())
    config["proxy_location"] = "HeadOnly"
    config["http_options"] |= {"host": "127.0.0.1", "port": port}
    config["grpc_options"] |= {"port": grpc_port}
    for application in config["applications"]:
        for deployment in application["deployments"]:
            if "autoscaling_config" in deployment:
                deployment["autoscaling_config"] |= _IMPATIENT
    roles = config["applications"][0]["args"]
    for settings in roles.values():
        engine = settings.get("engine", {})
        engine |= {key: value for key, value in _ON_A_CPU.items() if key in engine}
    assert roles["spoof"]["engine"]["engine"] == "wavlm"
    roles["spoof"]["engine"] |= tiny_backbone(folder)
    return config
