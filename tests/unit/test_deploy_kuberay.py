"""The Kubernetes manifests: core objects and pods by Kubernetes' own schema, KubeRay's objects by strict models."""

from pathlib import Path
from typing import Any, Literal

import kubernetes_validate
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.rayservice import MANIFEST, SERVE_CONFIG, embedded
from deployments.serve_config import check
from graphs.ray_patches.backpressure import PROXY_HOOK, PROXY_HOOK_VARIABLE

pytestmark = pytest.mark.unit

KUBERNETES = "1.34"
FOLDER = MANIFEST.parent
OPERATORS = {"RayService", "PodMonitor", "ScrapeConfig"}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class UpgradeStrategy(_Model):
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]


class AuthOptions(_Model):
    mode: Literal["disabled", "token"]


class AutoscalerOptions(_Model):
    version: Literal["v1", "v2"]
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]
    idleTimeoutSeconds: int
    resources: dict[str, dict[str, str]]
    securityContext: dict[str, Any]


class HeadGroup(_Model):
    rayStartParams: dict[str, str]
    template: dict[str, Any]


class WorkerGroup(HeadGroup):
    groupName: str
    replicas: int
    minReplicas: int
    maxReplicas: int


class RayCluster(_Model):
    rayVersion: str
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class RayServiceSpec(_Model):
    upgradeStrategy: UpgradeStrategy
    excludeHeadPodFromServeSvc: bool
    rayClusterConfig: RayCluster
    serveConfigV2: str


class RayService(_Model):
    """The fields of KubeRay's ray.io/v1 that the manifest uses, with the types and values that it allows."""

    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: dict[str, str]
    spec: RayServiceSpec


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="module")
def service(manifest: dict[str, Any]) -> RayServiceSpec:
    return RayService.model_validate(manifest).spec


def groups(service: RayServiceSpec) -> dict[str, HeadGroup]:
    cluster = service.rayClusterConfig
    return {"head": cluster.headGroupSpec, **{group.groupName: group for group in cluster.workerGroupSpecs}}


def core_objects() -> list[dict[str, Any]]:
    documents = [document for file in FOLDER.glob("*.yaml") for document in yaml.safe_load_all(file.read_text())]
    return [document for document in documents if document["kind"] not in OPERATORS]


@pytest.mark.parametrize("document", core_objects(), ids=lambda document: document["kind"])
def test_a_core_object_passes_kubernetes_own_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", ["head", "cpu", "gpu"])
def test_a_group_s_pod_passes_kubernetes_own_schema(service: RayServiceSpec, name: str) -> None:
    template = groups(service)[name].template
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_a_misspelt_field_is_refused(manifest: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="serveConfig"):
        RayService.model_validate({**manifest, "spec": {**manifest["spec"], "serveConfig": ""}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"nam": "x"}]}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_the_serve_configuration_in_the_manifest_is_the_one_file() -> None:
    text = MANIFEST.read_text(encoding="utf-8")
    assert embedded(text, SERVE_CONFIG.read_text(encoding="utf-8")) == text, "run: python -m deploy.rayservice"


def test_the_serve_configuration_survives_its_embedding(service: RayServiceSpec) -> None:
    assert yaml.safe_load(service.serveConfigV2) == yaml.safe_load(SERVE_CONFIG.read_text(encoding="utf-8"))
    check(yaml.safe_load(service.serveConfigV2))


def test_a_manifest_without_a_place_for_the_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="serveConfigV2"):
        embedded("spec: {}\n", "applications: []\n")


def test_the_head_takes_no_replica_and_a_gpu_pod_none_without_a_gpu(service: RayServiceSpec) -> None:
    assert groups(service)["head"].rayStartParams["num-cpus"] == "0"
    assert groups(service)["gpu"].rayStartParams["num-cpus"] == "0"
    assert "num-cpus" not in groups(service)["cpu"].rayStartParams


def test_gpu_pods_come_from_none_and_cpu_pods_are_always_there(service: RayServiceSpec) -> None:
    cpu, gpu = service.rayClusterConfig.workerGroupSpecs
    assert (gpu.minReplicas, gpu.replicas) == (0, 0)
    assert gpu.maxReplicas > 0
    assert cpu.minReplicas >= 1


def test_only_gpu_pods_ask_for_a_gpu_and_tolerate_its_taint(service: RayServiceSpec) -> None:
    for name, group in groups(service).items():
        spec = group.template["spec"]
        limits = spec["containers"][0]["resources"]["limits"]
        assert ("nvidia.com/gpu" in limits) == (name == "gpu")
        assert any(toleration["key"] == "nvidia.com/gpu" for toleration in spec.get("tolerations", [])) == (
            name == "gpu"
        )


def test_every_pod_has_what_a_node_needs_and_its_secrets_by_reference(service: RayServiceSpec) -> None:
    (secret,) = yaml.safe_load_all((FOLDER / "secret.example.yaml").read_text())
    for group in groups(service).values():
        (container,) = group.template["spec"]["containers"]
        environment = {entry["name"]: entry for entry in container["env"]}
        assert environment[PROXY_HOOK_VARIABLE]["value"] == PROXY_HOOK
        assert environment["RAY_SERVE_USE_PACK_SCHEDULING_STRATEGY"]["value"] == "1"
        for name in ("VOICEGRAPH_DATABASE_URL", "VOICEGRAPH_ADMIN_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            reference = environment[name]["valueFrom"]["secretKeyRef"]
            assert reference["name"] == secret["metadata"]["name"]
            assert reference["key"] in secret["stringData"]
    assert set(secret["stringData"].values()) == {""}


def test_no_pod_runs_as_root_or_may_become_it(service: RayServiceSpec) -> None:
    for group in groups(service).values():
        spec = group.template["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }


def test_budgets_and_policies_select_the_pods(service: RayServiceSpec) -> None:
    labels = [group.template["metadata"]["labels"] for group in groups(service).values()]
    documents = list(yaml.safe_load_all((FOLDER / "availability.yaml").read_text()))
    for document in documents:
        spec = document["spec"]
        wanted = (spec.get("selector") or spec["podSelector"])["matchLabels"]
        assert any(wanted.items() <= have.items() for have in labels)
    (monitor, scrape) = yaml.safe_load_all((FOLDER / "monitoring.yaml").read_text())
    assert all(monitor["spec"]["selector"]["matchLabels"].items() <= have.items() for have in labels)
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"
    assert scrape["spec"]["staticConfigs"][0]["labels"]["job"] == "voicegraph"


def test_the_whole_folder_is_in_one_namespace() -> None:
    for file in Path(FOLDER).glob("*.yaml"):
        for document in yaml.safe_load_all(file.read_text()):
            assert document["kind"] == "Namespace" or document["metadata"]["namespace"] == "voicegraph"
