"""The compose file follows the compose specification, has no secret of its own, and its files exist."""

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deployments.serve_config import load
from graphs.local.engines import arguments_of_graphs, embedded

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
DEPLOY = REPOSITORY / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
EXAMPLE = dict(
    line.split("=", 1)
    for line in (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
SECRETS = {
    "VOICEGRAPH_ADMIN_KEY",
    "RAY_AUTH_TOKEN",
    "POSTGRES_PASSWORD",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_PASSWORD",
    "GRAFANA_ADMIN_PASSWORD",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The compose specification's own schema, as check-jsonschema carries it."""
    text = (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@pytest.mark.slow
def test_the_file_follows_the_compose_specification(schema: dict[str, Any]) -> None:
    jsonschema.validate(COMPOSE, schema)


def test_the_specification_refuses_a_misspelt_key(schema: dict[str, Any]) -> None:
    service = {**COMPOSE["services"]["postgres"], "helthcheck": {}}
    with pytest.raises(jsonschema.ValidationError, match="helthcheck"):
        jsonschema.validate({**COMPOSE, "services": {"postgres": service}}, schema)


def test_no_service_starts_with_a_secret_that_was_not_set() -> None:
    used = dict(re.findall(r"\$\{(\w+)(:[?-])?", TEXT))
    optional = {name for name, operator in used.items() if operator == ":-"}
    assert optional == {"HF_TOKEN", "VOICEGRAPH_WEIGHTS_MIRROR"}
    assert {name for name, operator in used.items() if not operator} == set()
    from_files = {secret["environment"] for secret in COMPOSE["secrets"].values()}
    assert set(used) | from_files >= SECRETS
    assert set(used) | from_files | {"COMPOSE_PROFILES"} == set(EXAMPLE)


def test_the_example_has_no_secret_s_value_and_is_the_only_env_file_in_version_control() -> None:
    assert {name: EXAMPLE[name] for name in SECRETS} == dict.fromkeys(SECRETS, "")
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert {"/deploy/.env", "/deploy/cluster/env"} <= set(ignored)


def test_one_head_runs_per_profile_and_one_is_chosen_by_default() -> None:
    heads = {name: service["profiles"] for name, service in COMPOSE["services"].items() if name.startswith("head")}
    assert heads == {"head": ["cpu"], "head-gpu": ["gpu"]}
    assert EXAMPLE["COMPOSE_PROFILES"] == "cpu"


def test_what_others_depend_on_has_a_health_check() -> None:
    for service in COMPOSE["services"].values():
        for name, how in (service.get("depends_on") if isinstance(service.get("depends_on"), dict) else {}).items():
            assert how["condition"] == "service_healthy"
            assert COMPOSE["services"][name]["healthcheck"]


def test_only_the_api_and_the_object_store_are_published_beyond_this_machine() -> None:
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    beyond = {port.rpartition(":")[2] for port in published if not port.startswith("127.0.0.1:")}
    assert beyond == {"8000", "50052", "9000"}
    assert all(port.startswith(("127.0.0.1:", "${VOICEGRAPH_BIND:?")) for port in published)


def test_every_image_has_a_version() -> None:
    images = [service["image"] for service in COMPOSE["services"].values()]
    tags = {image.partition(":")[2] for image in images}
    assert not tags & {"", "latest"}


def test_every_mounted_file_exists_and_every_volume_is_declared() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists()
            else:
                assert source in COMPOSE["volumes"]
        for secret in service.get("secrets", []):
            assert secret in COMPOSE["secrets"]


def test_what_a_head_deploys_passes_the_project_s_own_check(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("head", "head-gpu"):
        for name, value in COMPOSE["services"][service]["environment"].items():
            monkeypatch.setenv(name, re.sub(r"\$\{.*?\}", "x", value))
        (mount,) = (volume for volume in COMPOSE["services"][service]["volumes"] if "serve_config" in volume)
        load(DEPLOY / mount.split(":")[0])


def test_the_embedded_engines_are_those_of_a_local_run_without_models() -> None:
    def engines(config: dict[str, Any]) -> dict[str, Any]:
        arguments = arguments_of_graphs(config)
        return {role: settings for role, settings in arguments.items() if "engine" in settings}

    local = embedded(load(REPOSITORY / "serve_config.local.yaml"))
    assert engines(load(DEPLOY / "serve_config.embedded.yaml")) == engines(local)


def test_prometheus_finds_its_targets_among_the_services() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    hosts = set(COMPOSE["services"]) | set(COMPOSE["services"]["head"]["networks"]["default"]["aliases"])
    for job in config["scrape_configs"]:
        targets = [target for static in job.get("static_configs", []) for target in static["targets"]]
        targets += [discovery["url"].split("/")[2] for discovery in job.get("http_sd_configs", [])]
        targets += [name for discovery in job.get("dns_sd_configs", []) for name in discovery["names"]]
        assert targets
        assert {target.partition(":")[0] for target in targets} <= hosts
    assert "/run/secrets/admin_key" in json.dumps(config)
    assert set(COMPOSE["services"]["prometheus"]["secrets"]) == {"admin_key", "ray_token"}


def test_the_head_s_script_is_bash() -> None:
    done = subprocess.run(["bash", "-n", str(DEPLOY / "head.sh")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_head_without_a_token_or_with_a_wrong_configuration_does_not_start_ray(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("aplications: []\n")
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    script = ["bash", str(DEPLOY / "head.sh"), str(wrong)]
    without = subprocess.run(script, capture_output=True, text=True, env=environment)
    assert without.returncode != 0
    assert "RAY_AUTH_TOKEN" in without.stderr
    misspelt = subprocess.run(script, capture_output=True, text=True, env={**environment, "RAY_AUTH_TOKEN": "x"})
    assert misspelt.returncode != 0
    assert "applications" in misspelt.stderr
    assert "Ray runtime" not in misspelt.stdout
