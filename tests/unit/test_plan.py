"""The dry run of a configuration: what goes where, and whether it fits."""

import copy
import json
import random
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.planning.__main__ import CANNOT_BE_USED, DOES_NOT_FIT, FITS, main
from deployments.planning.cluster import read_node_kinds
from deployments.planning.gpu_memory_needs import GIBIBYTE, Work
from deployments.planning.packing import STEPS, NodeKind, Replica, pack
from deployments.planning.plan import plan
from deployments.planning.replicas import PlannedDeployment, planned_deployments
from deployments.serve_config import load
from deployments.strict import ConfigError
from models.asr import FasterWhisperSettings, PocketSphinxSettings

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCTION = REPOSITORY / "serve_config.yaml"
GPU = NodeKind("gpu", 1)


def deployment(name: str = "asr", gpus: float = 0.3, **more: Any) -> PlannedDeployment:
    filled = {"application": "graphs", "least": 1, "most": 1, "cpus": 0.0, **more}
    return PlannedDeployment(name=name, gpus=gpus, **filled)


def planned(*deployments: PlannedDeployment, gpu_memory: float = 24, kinds: Any = (GPU,)) -> Any:
    return plan(deployments, gpu_memory * GIBIBYTE, kinds)


def whisper(**more: Any) -> FasterWhisperSettings:
    return FasterWhisperSettings(model="large-v3-turbo", device="cuda", **more)


# --- packing ----------------------------------------------------------------------------------------------------------


def packed(*shares: float, per_node: int = 1, most: int | None = None) -> list[list[float]]:
    """Return what is taken of the GPUs of each node."""
    packing = pack(
        [Replica.of(f"role{place}", share) for place, share in enumerate(shares)],
        [NodeKind("gpu", per_node, None, most)],
    )
    return [[(STEPS - room) / STEPS for room in node.devices] for node in packing.nodes]


def test_shares_fill_one_gpu_before_the_next() -> None:
    assert packed(0.2, 0.14, 0.1, 0.07, 0.15, 0.12, 0.22) == [[1.0]]
    assert packed(0.5, 0.5, 0.5) == [[1.0], [0.5]]
    assert packed(0.5, 0.5, 0.5, per_node=2) == [[1.0, 0.5]]


def test_the_largest_come_first_and_each_goes_where_it_leaves_the_least() -> None:
    assert packed(0.3, 0.6, 0.4, 0.7) == [[1.0], [1.0]]
    assert packed(0.7, 0.6, 0.3, per_node=2) == [[1.0, 0.6]]


def test_a_share_lies_on_one_gpu() -> None:
    assert packed(0.6, 0.6, 0.6) == [[0.6], [0.6], [0.6]]
    assert packed(*[0.3] * 4) == [[pytest.approx(0.9)], [0.3]]


def test_tenths_add_up_exactly() -> None:
    assert packed(*[0.1] * 20) == [[1.0], [1.0]]


def test_whole_gpus_take_devices_that_nobody_uses() -> None:
    assert packed(2, 0.5, per_node=2) == [[1.0, 1.0], [0.5, 0.0]]
    assert packed(0.5, 1, per_node=2) == [[1.0, 0.5]]


def test_what_has_no_room_is_told() -> None:
    packing = pack([Replica.of("a", 0.6), Replica.of("b", 0.6)], [NodeKind("gpu", 1, None, 1)])
    assert [replica.deployment for replica in packing.unplaced] == ["b"]
    assert packed(2, per_node=1) == []


def test_replicas_without_a_gpu_go_where_cpus_are() -> None:
    kinds = [NodeKind("gpu", 1, 0.0), NodeKind("cpu", 0, 2.0)]
    packing = pack([Replica.of("worker", 0, 1.5), Replica.of("asr", 0.5), Replica.of("api", 0, 1)], kinds)
    assert [(node.kind.name, [r.deployment for r, _devices in node.placed]) for node in packing.nodes] == [
        ("gpu", ["asr"]),
        ("cpu", ["worker"]),
        ("cpu", ["api"]),
    ]


def fewest_gpus(shares: list[int]) -> int:
    """Find the best that any packing could do, by trying all."""
    for count in range(1, len(shares) + 1):
        for places in product(range(count), repeat=len(shares)):
            taken = [0] * count
            for place, share in zip(places, shares, strict=True):
                taken[place] += share
            if max(taken) <= STEPS:
                return count
    return 0


def test_any_packing_holds_its_replicas_and_is_close_to_the_best() -> None:
    rng = random.Random(7)
    for _round in range(60):
        shares = [rng.choice([500, 700, 1000, 1500, 2000, 3000, 4500, 6000]) for _ in range(rng.randint(1, 6))]
        packing = pack([Replica(str(place), share) for place, share in enumerate(shares)], [GPU])
        placed = sorted(replica.gpus for node in packing.nodes for replica, _devices in node.placed)
        assert placed == sorted(shares)
        for node in packing.nodes:
            assert sum(replica.gpus for replica, _devices in node.placed) == STEPS - node.devices[0] <= STEPS
        # First-fit and best-fit decreasing: at most 11/9 of the best, and 6/9 (Dosa 2007).
        assert fewest_gpus(shares) <= packing.gpus_used <= 11 / 9 * fewest_gpus(shares) + 6 / 9


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_what_fits_has_no_reasons() -> None:
    found = planned(deployment(engine=whisper(), work=Work(2)))
    assert found.fits
    assert [memory.verdict for _deployment, memory in found.deployments] == ["fits"]


def test_an_engine_above_its_share_is_told_what_would_do() -> None:
    found = planned(deployment(gpus=0.1, engine=whisper(), work=Work(2)))
    (reason,) = found.reasons
    assert reason.startswith("asr needs 3.5 GiB, its share 0.1 of 24.0 GiB is 2.4 GiB: raise num_gpus to 0.15")
    assert planned(deployment(gpus=0.15, engine=whisper(), work=Work(2))).fits


def test_no_share_is_enough_on_a_gpu_that_is_too_small() -> None:
    (reason,) = planned(deployment(gpus=1, engine=whisper()), gpu_memory=2).reasons
    assert "no GPU of this size holds it" in reason


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (deployment(gpus=0, engine=whisper()), "asks for a GPU, but its deployment for none"),
        (deployment(gpus=0.3, engine=PocketSphinxSettings()), "takes 0.3 of a GPU, but its engine pocketsphinx runs"),
        (deployment(engine=FasterWhisperSettings(model="a/b", device="cuda")), "nothing is known of the model"),
        (deployment(gpus=2, engine=whisper()), "but an engine computes on one"),
        (deployment(max_ongoing_requests=1), "max_ongoing_requests 1"),
    ],
)
def test_what_is_probably_not_meant_is_doubted_but_fits(asked: PlannedDeployment, said: str) -> None:
    kinds = [NodeKind("gpu", 2), NodeKind("cpu", 0)]
    found = planned(asked, kinds=kinds)
    assert found.fits
    assert any(said in warning for warning in found.warnings), found.warnings


def test_shares_that_leave_pieces_are_doubted() -> None:
    found = planned(deployment(gpus=0.4, least=5, most=5))
    assert any("sum up to 2 GPUs and take 3" in warning for warning in found.warnings)


def test_room_in_pieces_on_a_node_with_several_gpus_is_doubted() -> None:
    found = planned(deployment(gpus=0.6, least=3, most=3), kinds=[NodeKind("gpu", 2)])
    assert any("room only in pieces" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("asked", "kinds", "said"),
    [
        (deployment(gpus=1.5), [NodeKind("gpu", 2)], "above one, Ray gives whole GPUs only"),
        (deployment(gpus=0.6, least=3, most=3), [NodeKind("gpu", 1, None, 2)], "at the least scale there is no room"),
        (deployment(gpus=0.6, least=1, most=3), [NodeKind("gpu", 1, None, 2)], "no room for 1 of asr"),
        (deployment(gpus=0.6, cpus=1.0), [NodeKind("gpu", 1, 0.0)], "no node with GPUs has any: set num_cpus to 0"),
    ],
)
def test_what_finds_no_place_is_a_reason(asked: PlannedDeployment, kinds: Any, said: str) -> None:
    assert any(said in reason for reason in planned(asked, kinds=kinds).reasons)


def test_surge_is_counted_as_serve_rounds_it() -> None:
    assert [deployment(surge_percent=percent).surge(4) for percent in (0, 1, 25, 26, 100)] == [0, 1, 1, 2, 4]


def test_an_update_that_needs_another_gpu_is_told() -> None:
    tight = planned(deployment("asr", 0.6, surge_percent=100), deployment("spoof", 0.2, surge_percent=100))
    assert tight.waiting == ("asr",)
    assert sum(1 for _node in tight.updating.nodes) == 2


# --- the file and the command -----------------------------------------------------------------------------------------


@pytest.fixture
def local() -> dict[str, Any]:
    loaded: dict[str, Any] = copy.deepcopy(yaml.safe_load((REPOSITORY / "serve_config.local.yaml").read_text()))
    return loaded


def test_what_the_file_leaves_out_is_as_the_code_says(local: dict[str, Any]) -> None:
    local["applications"][0]["deployments"] = [
        {"name": "asr", "num_replicas": "auto", "ray_actor_options": {"num_gpus": 0.25}},
        {"name": "spoof", "autoscaling_config": {"min_replicas": 2, "max_replicas": 5}, "max_surge_percent": 20},
    ]
    found = {d.name: d for d in planned_deployments(local)}
    assert set(found) == {
        *("worker", "asr", "diarization", "spoof", "speaker", "translation", "speech", "lipsync"),
        *("ingress", "live"),
    }
    assert (found["asr"].least, found["asr"].most, found["asr"].gpus, found["asr"].cpus) == (1, 100, 0.25, 1.0)
    assert (found["spoof"].least, found["spoof"].most, found["spoof"].surge(5)) == (2, 5, 1)
    assert (found["lipsync"].least, found["lipsync"].most) == (1, 1)
    assert found["spoof"].work == Work(concurrency=2, batch=32)
    assert found["ingress"].engine is None


def test_a_second_recogniser_is_a_deployment_where_it_is_configured(local: dict[str, Any]) -> None:
    local["applications"][0]["args"]["asr_live"] = {"engine": {"engine": "pocketsphinx", "workers": 3}}
    local["applications"][0]["deployments"].append({"name": "asr_live", "ray_actor_options": {"num_cpus": 0.2}})
    found = {d.name: d for d in planned_deployments(local)}
    assert (found["asr"].engine.engine, found["asr_live"].engine) == (
        "faster-whisper",
        PocketSphinxSettings(workers=3),
    )
    assert found["asr_live"].cpus == 0.2


def test_settings_for_running_replicas_count(local: dict[str, Any]) -> None:
    local["applications"][0]["deployments"] = [{"name": "spoof", "user_config": {"max_batch_chunks": 64, "threads": 3}}]
    (spoof,) = (d for d in planned_deployments(local) if d.name == "spoof")
    assert spoof.work.batch == 64
    assert spoof.engine.threads == 3


def test_a_deployment_that_is_not_there_is_refused_with_the_nearest_name(local: dict[str, Any]) -> None:
    local["applications"][0]["deployments"][1]["name"] = "arr"
    with pytest.raises(ConfigError, match=r"unknown deployment 'arr'; did you mean 'asr'\?"):
        planned_deployments(local)


def test_a_policy_that_knows_another_concurrency_is_doubted(local: dict[str, Any]) -> None:
    local["applications"][0]["deployments"][0] = {
        "name": "worker",
        "graceful_shutdown_timeout_s": 15,
        "autoscaling_config": {
            "max_replicas": 2,
            "policy": {
                "policy_function": "deployments.backlog:BacklogPolicy",
                "policy_kwargs": {"seconds_per_worker": 600, "jobs_per_worker": 5},
            },
        },
    }
    warnings = planned(*planned_deployments(local), kinds=[GPU, NodeKind("cpu", 0)]).warnings
    assert any("jobs_per_worker is 5, and it runs 2" in warning for warning in warnings)
    assert any("killed after 15 s" in warning for warning in warnings)


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_the_production_file_fits_one_gpu_at_the_least_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PRODUCTION, "--gpu-memory", 22, "--json") == FITS
    told = json.loads(capsys.readouterr().out)
    assert told["warnings"] == told["reasons"] == []
    assert told["min"]["gpu_nodes"] == 1
    (gpu,) = (gpu for node in told["min"]["nodes"] for gpu in node["gpus"])
    roles = {"asr", "diarization", "spoof", "speaker", "translation", "lipsync"}
    assert set(gpu["replicas"]) == roles and gpu["taken"] <= 1
    assert told["updates_needing_another_gpu"] == []
    verdicts = {entry["name"]: entry["verdict"] for entry in told["deployments"]}
    assert {verdicts[role] for role in roles} == {"fits"} and verdicts["speech"] == "CPU"


@pytest.mark.skipif(not (REPOSITORY / "cluster.yaml").exists(), reason="there is no cluster.yaml")
def test_the_production_file_fits_the_cluster_file_at_the_greatest_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PRODUCTION, "--gpu-memory", 22, "--cluster", REPOSITORY / "cluster.yaml", "--json") == FITS
    told = json.loads(capsys.readouterr().out)
    assert told["warnings"] == told["reasons"] == [] and told["max"]["unplaced"] == {}
    allowed = sum(kind.most or 0 for kind in read_node_kinds(REPOSITORY / "cluster.yaml") if kind.gpus)
    assert told["max"]["gpu_nodes"] <= told["max_gpu_nodes_while_updating"] <= allowed


def test_a_gpu_that_is_too_small_ends_with_1_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(PRODUCTION, "--gpu-memory", 12) == DOES_NOT_FIT
    out = capsys.readouterr().out
    assert "asr needs" in out and "raise num_gpus to" in out


def test_a_typo_ends_with_2_and_the_nearest_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "serve_config.yaml"
    file.write_text(PRODUCTION.read_text().replace("max_batch_chunks", "max_batch_chunk", 1))
    assert run(file, "--gpu-memory", 22) == CANNOT_BE_USED
    assert "did you mean 'max_batch_chunks'?" in capsys.readouterr().err
    assert run(tmp_path / "none.yaml", "--gpu-memory", 22) == CANNOT_BE_USED


def test_a_cluster_file_that_is_none_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cluster.yaml").write_text("cluster_name: x\n")
    assert run(PRODUCTION, "--gpu-memory", 22, "--cluster", tmp_path / "cluster.yaml") == CANNOT_BE_USED
    assert "available_node_types" in capsys.readouterr().err


def test_a_cluster_file_says_which_nodes_there_may_be(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    node_types = {
        "head": {"resources": {"CPU": 0}},
        "gpu": {"max_workers": 2, "resources": {"CPU": 0, "GPU": 4}},
        "spot": {"max_workers": 9, "priority": 1, "resources": {"CPU": 0, "GPU": 1}},
        "cpu": {"resources": {}},
    }
    cluster = {"head_node_type": "head", "max_workers": 7, "available_node_types": node_types}
    file.write_text(yaml.safe_dump(cluster, sort_keys=False))
    assert read_node_kinds(file) == [
        NodeKind("spot", 1, 0.0, 7),
        NodeKind("gpu", 4, 0.0, 2),
        NodeKind("cpu", 0, None, 7),
    ]


@pytest.mark.slow
def test_planning_loads_no_model_library() -> None:
    program = (
        "import sys; from deployments.planning.__main__ import main;"
        "main(['serve_config.yaml', '--gpu-memory', '22', '--json']);"
        "print([name for name in ('torch', 'transformers', 'ctranslate2', 'onnxruntime', 'pyannote.audio')"
        " if name in sys.modules], file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert said.stderr.strip().splitlines()[-1] == "[]"


def test_the_production_file_is_what_serves_own_command_takes() -> None:
    from ray.serve.schema import ServeDeploySchema

    schema = ServeDeploySchema.model_validate(load(PRODUCTION))
    assert {application.name for application in schema.applications} == {"graphs", "api", "live"}
    json.dumps(yaml.safe_load(PRODUCTION.read_text()))
