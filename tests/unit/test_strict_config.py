import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.serve_config import check, load
from deployments.strict import ConfigError, validate
from graphs.common.config import ApiConfig, GraphsConfig
from graphs.common.config_reference import reference

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).resolve().parents[2]
LOCAL = REPOSITORY / "serve_config.local.yaml"


@pytest.fixture
def local() -> dict[str, Any]:
    # A deep copy unties the anchors, so that a change in one place stays there.
    loaded: dict[str, Any] = copy.deepcopy(yaml.safe_load(LOCAL.read_text()))
    return loaded


@pytest.mark.parametrize("file", sorted(REPOSITORY.glob("serve_config*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(file: Path) -> None:
    assert load(file)["applications"]


@pytest.mark.parametrize(
    ("change", "path", "nearest"),
    [
        (lambda c: c.update(http_option={}), "configuration", "http_options"),
        (lambda c: c["http_options"].update(prot=1), "configuration.http_options", "port"),
        (lambda c: c["applications"][0].update(import_paht="x"), "applications[0]", "import_path"),
        (
            lambda c: c["applications"][0]["deployments"][0].update(num_replica=2),
            "applications[0].deployments[0]",
            "num_replicas",
        ),
        (
            lambda c: c["applications"][0]["deployments"][0].update(autoscaling_config={"target_ongoing_request": 2}),
            "applications[0].deployments[0].autoscaling_config",
            "target_ongoing_requests",
        ),
        (
            lambda c: c["applications"][0]["deployments"][0]["ray_actor_options"].update(num_gpu=1),
            "applications[0].deployments[0].ray_actor_options",
            "num_gpus",
        ),
        (lambda c: c["applications"][0]["args"].update(diarisation={}), "applications[0].args", "diarization"),
        (
            lambda c: c["applications"][0]["args"]["asr"]["engine"].update(worker=1),
            "applications[0].args.asr.engine.faster-whisper",
            "workers",
        ),
        (
            lambda c: c["applications"][1]["args"].update(rate_limits={"uplod": 1}),
            "applications[1].args.rate_limits",
            "upload",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_its_path_and_the_nearest_name(
    local: dict[str, Any], change: Any, path: str, nearest: str
) -> None:
    change(local)
    with pytest.raises(ConfigError) as refused:
        check(local)
    assert f"{path}: unknown key" in str(refused.value)
    assert f"did you mean {nearest!r}" in str(refused.value)


def test_every_fault_is_named_at_once(local: dict[str, Any]) -> None:
    local["http_option"] = {}
    local["applications"][0]["args"]["worker"] = {"concurency": 1}
    local["applications"][1]["args"]["recordings"] = {"max_bytes": -1}
    with pytest.raises(ConfigError) as refused:
        check(local)
    message = str(refused.value)
    assert "http_option" in message
    assert "applications[0].args.worker: unknown key 'concurency'; did you mean 'concurrency'?" in message
    assert "applications[1].args.recordings.max_bytes: Input should be greater than 0" in message


def test_a_key_that_resembles_nothing_lists_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="valid keys are level"):
        validate(GraphsConfig, {"logs": {"xyzzy": 1}})


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"asr\.engine.*pocketsphinx.*faster-whisper"):
        validate(GraphsConfig, {"asr": {"engine": {"engine": "whisperx"}}})


def test_what_is_not_a_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        check(["applications"])
    broken = tmp_path / "broken.yaml"
    broken.write_text("applications: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        load(broken)


def test_both_applications_have_defaults_for_everything() -> None:
    assert validate(ApiConfig, {}).recordings == validate(GraphsConfig, {}).recordings


def test_the_configuration_page_lists_the_settings_as_they_are() -> None:
    assert (REPOSITORY / "docs" / "configuration.md").read_text() == reference()
