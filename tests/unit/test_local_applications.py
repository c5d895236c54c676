"""The applications of a local run, built from its configuration."""

from pathlib import Path
from typing import Any

import pytest
from ray.serve.schema import ServeDeploySchema

from deployments.serve_config import load
from graphs.local.applications import build, check_supported
from graphs.local.environment import StartError

pytestmark = pytest.mark.unit

LOCAL = Path(__file__).parents[2] / "serve_config.local.yaml"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setenv("VOICEGRAPH_DATA", str(tmp_path))
    return load(LOCAL)


def test_each_application_has_its_route_and_its_deployments_have_their_options(config: dict[str, Any]) -> None:
    config["applications"][0]["deployments"][1] |= {"num_replicas": 2, "user_config": {}}
    applications = {application.name: application for application in build(config)}
    assert {name: application.route_prefix for name, application in applications.items()} == {
        "graphs": None,
        "api": "/",
        "live": "/api/v1/ws",
    }
    graphs = {deployment.name: deployment for deployment in applications["graphs"].deployments}
    assert graphs["asr"].num_replicas == 2
    assert graphs["spoof"].num_replicas == 1
    formats = {
        application.logging_config and application.logging_config.encoding for application in applications.values()
    }
    assert formats == {"JSON"}
    for application in config["applications"]:
        built = {deployment.name: deployment for deployment in applications[application["name"]].deployments}
        for declared in application["deployments"]:
            options = built[declared["name"]].ray_actor_options or {}
            assert options["num_cpus"] == declared["ray_actor_options"]["num_cpus"]


def test_options_of_a_deployment_that_the_application_lacks_are_refused(config: dict[str, Any]) -> None:
    config["applications"][1]["deployments"].append({"name": "asr"})
    with pytest.raises(StartError, match="application api has no deployment asr"):
        build(config)


def test_what_only_a_cluster_can_do_is_refused(config: dict[str, Any]) -> None:
    config["applications"][1]["runtime_env"] = {"env_vars": {"A": "b"}}
    with pytest.raises(StartError, match="application api: runtime_env"):
        check_supported(ServeDeploySchema.model_validate(config))
