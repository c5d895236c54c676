"""cluster.yaml goes through what `ray up` does before it opens its first SSH connection, on an AWS of moto's."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from moto.ec2.models.amis import AMIS
from ray.autoscaler._private import commands, util
from ray.autoscaler._private.aws import config as aws_config
from ray.autoscaler._private.aws import node_provider

from deployments.serve_config import load
from graphs.ray_patches.backpressure import PROXY_HOOK, PROXY_HOOK_VARIABLE

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_FILES = REPOSITORY / "deploy" / "cluster"
SECRETS = {
    "RAY_AUTH_TOKEN": "a token",
    "VOICEGRAPH_ADMIN_KEY": "an admin key",
    "VOICEGRAPH_DATABASE_URL": "postgresql://voicegraph:secret@db/voicegraph?sslmode=verify-full",
    "VOICEGRAPH_S3_BUCKET": "voicegraph",
    "VOICEGRAPH_S3_REGION": "eu-west-1",
}


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((REPOSITORY / "cluster.yaml").read_text())
    return data


@pytest.fixture(scope="module")
def prepared(cluster: dict[str, Any]) -> dict[str, Any]:
    """With what Ray fills in by itself, without a cloud."""
    prepared: dict[str, Any] = util.prepare_config(yaml.safe_load(yaml.safe_dump(cluster)))
    return prepared


@pytest.fixture(scope="module")
def launched(cluster: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The configuration with which Ray would launch machines, and the machines that moto made of each node type."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        home = tmp_path_factory.mktemp("home")
        (home / ".ssh").mkdir()
        patch.setenv("HOME", str(home))
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.chdir(REPOSITORY)
        patch.setattr(aws_config.time, "sleep", lambda _seconds: None)
        make_role(boto3.client("iam"))
        ec2 = boto3.client("ec2", region_name=cluster["provider"]["region"])
        wanted = yaml.safe_load(yaml.safe_dump(cluster))
        for node_type in wanted["available_node_types"].values():
            node_type["node_config"]["ImageId"] = AMIS[0]["ami_id"]
        kinds = sorted({kind["node_config"]["InstanceType"] for kind in wanted["available_node_types"].values()})
        described = ec2.describe_instance_types(InstanceTypes=kinds)["InstanceTypes"]
        # Ray asks for every type that there is, which takes moto many seconds.
        patch.setattr(node_provider, "list_ec2_instances", lambda *_: described)
        config = commands._bootstrap_config(wanted, no_config_cache=True)
        provider = node_provider.AWSNodeProvider(config["provider"], config["cluster_name"])
        for name, node_type in config["available_node_types"].items():
            provider.create_node(node_type["node_config"], {"ray-user-node-type": name}, 1)
        machines = {
            next(tag["Value"] for tag in machine["Tags"] if tag["Key"] == "ray-user-node-type"): machine
            for reservation in ec2.describe_instances()["Reservations"]
            for machine in reservation["Instances"]
        }
        yield {
            "config": config,
            "machines": machines,
            "groups": ec2.describe_security_groups()["SecurityGroups"],
            "cpus": {kind["InstanceType"]: kind["VCpuInfo"]["DefaultVCpus"] for kind in described},
        }


def make_role(iam: Any) -> None:
    """Make the role that Ray makes at its first start and finds at the next."""
    trust = {"Principal": {"Service": "ec2.amazonaws.com"}, "Effect": "Allow", "Action": "sts:AssumeRole"}
    name = aws_config.DEFAULT_RAY_INSTANCE_PROFILE
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def test_ray_s_own_schema_accepts_the_file(prepared: dict[str, Any]) -> None:
    util.validate_config(prepared)


def test_ray_s_schema_refuses_a_misspelt_key(prepared: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="max_worker"):
        util.validate_config({**prepared, "max_worker": 3})


@pytest.mark.slow
def test_every_node_type_can_be_launched(launched: dict[str, Any]) -> None:
    machines = launched["machines"]
    assert set(machines) == {"head", "cpu", "gpu", "gpu_spot"}
    assert {name for name, machine in machines.items() if machine.get("InstanceLifecycle") == "spot"} == {"gpu_spot"}


def test_the_head_and_the_gpu_nodes_offer_no_cpu_and_cpu_nodes_no_gpu(launched: dict[str, Any]) -> None:
    resources = {name: kind["resources"] for name, kind in launched["config"]["available_node_types"].items()}
    assert resources["head"] == {"CPU": 0}
    assert resources["cpu"]["CPU"] == launched["cpus"][launched["machines"]["cpu"]["InstanceType"]] > 0
    assert "GPU" not in resources["cpu"]
    for name in ("gpu", "gpu_spot"):
        assert (resources[name]["CPU"], resources[name]["GPU"]) == (0, 1)


def test_gpu_nodes_come_from_none_and_a_cpu_node_is_always_there(prepared: dict[str, Any]) -> None:
    types = prepared["available_node_types"]
    assert types["head"]["max_workers"] == 0
    assert types["cpu"]["min_workers"] >= 1
    assert types["gpu"]["min_workers"] == types["gpu_spot"]["min_workers"] == 0
    assert prepared["max_workers"] == sum(node_type["max_workers"] for node_type in types.values())


def test_only_ssh_is_open_to_everybody(launched: dict[str, Any]) -> None:
    (group,) = (group for group in launched["groups"] if group["GroupName"] == "voicegraph")
    public = {
        rule["FromPort"]
        for rule in group["IpPermissions"]
        for block in rule["IpRanges"]
        if block["CidrIp"] == "0.0.0.0/0"
    }
    assert public == {22}


def test_the_cluster_has_room_for_serve_config_at_its_greatest_scale(prepared: dict[str, Any]) -> None:
    nodes = prepared["available_node_types"].values()
    room = {
        kind: sum(node["resources"].get(kind, 0) * node["max_workers"] for node in nodes) for kind in ("CPU", "GPU")
    }
    asked = {"CPU": 0.0, "GPU": 0.0}
    for application in load(REPOSITORY / "serve_config.yaml")["applications"]:
        for deployment in application["deployments"]:
            replicas = deployment["autoscaling_config"]["max_replicas"]
            options = deployment["ray_actor_options"]
            # Neither kind of replica fits on the other kind of node.
            assert bool(options["num_cpus"]) != bool(options.get("num_gpus"))
            asked["CPU"] += replicas * options["num_cpus"]
            asked["GPU"] += replicas * options.get("num_gpus", 0)
    assert asked["CPU"] <= room["CPU"]
    assert asked["GPU"] <= room["GPU"]


def node_environment(folder: Path, secrets: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Source node.sh as the nodes do, beside an env file with these secrets, and print the environment."""
    (folder / "node.sh").write_text((NODE_FILES / "node.sh").read_text())
    (folder / "env").write_text("".join(f"{name}='{value}'\n" for name, value in secrets.items()))
    program = f". {folder}/node.sh && env -0"
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})


def test_a_node_starts_ray_with_the_secrets_and_the_proxies_bound(tmp_path: Path) -> None:
    done = node_environment(tmp_path, SECRETS)
    environment = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert environment.items() >= SECRETS.items()
    assert environment[PROXY_HOOK_VARIABLE] == PROXY_HOOK
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_EXPORT_COUNTER_AS_GAUGE"] == "0"


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_a_node_without_a_secret_does_not_start_ray_and_says_which(tmp_path: Path, missing: str) -> None:
    done = node_environment(tmp_path, {name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_head_launches_nodes_by_its_role_not_by_the_bucket_s_keys(cluster: dict[str, Any]) -> None:
    (start,) = (command for command in cluster["head_start_ray_commands"] if "ray start" in command)
    before = start.partition("ray start")[0]
    assert "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY" in before


def test_the_example_of_secrets_names_all_that_a_node_asks_for_and_no_value() -> None:
    lines = (NODE_FILES / "env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert set(SECRETS) <= set(example)
    assert {name for name, value in example.items() if value} == {"VOICEGRAPH_S3_REGION"}
