"""Settings for running replicas, refused in the file before Serve could stop a replica over them."""

from typing import Any

import pytest

from deployments.serve_config import check
from deployments.strict import ConfigError

pytestmark = pytest.mark.unit


def configured(name: str, user_config: dict[str, Any], **options: Any) -> dict[str, Any]:
    args = {
        "spoof": {"engine": {"engine": "compact"}},
        "translation": {"engine": {"engine": "ctranslate2", "models": ["m2m100"]}},
    }
    deployment = {"name": name, "user_config": user_config, "ray_actor_options": options}
    application = {"name": "graphs", "import_path": "graphs.app:graphs", "args": args, "deployments": [deployment]}
    return {"applications": [application]}


@pytest.mark.parametrize(
    ("name", "user_config"),
    [
        ("spoof", {"bona_fide_below": 0.2, "spoof_from": 0.8, "batch_wait_ms": 10, "max_batch_chunks": 8}),
        ("translation", {"beam_size": 1, "max_batch_tokens": 512}),
    ],
)
def test_what_a_working_replica_takes_passes_on_a_gpu_too(name: str, user_config: dict[str, Any]) -> None:
    check(configured(name, user_config, num_gpus=0.1))


@pytest.mark.parametrize(
    ("name", "user_config", "said"),
    [
        ("spoof", {"spoof_form": 0.9}, r"deployments\[0\]\.user_config.*'spoof_form'.*'spoof_from'"),
        ("spoof", {"spoof_from": 0.1}, "bona_fide_below must not be above spoof_from"),
        ("spoof", {"batch_wait_ms": -1}, "batch_wait_ms"),
        ("spoof", {"max_batch_tokens": 8}, "unknown key 'max_batch_tokens'"),
        ("spoof", {"max_batch_chunks": 0}, "max_batch_chunks"),
        ("translation", {"beam_size": 0}, "beam_size"),
    ],
)
def test_wrong_values_are_refused_with_their_path(name: str, user_config: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check(configured(name, user_config))


def test_on_a_gpu_another_model_is_a_rolling_update() -> None:
    other = {"models": ["nllb"]}
    check(configured("translation", other))
    with pytest.raises(ConfigError, match=r"models: a new value needs a new engine.*args and deploy again"):
        check(configured("translation", other, num_gpus=0.1))
