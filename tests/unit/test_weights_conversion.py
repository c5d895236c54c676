"""Published checkpoints of translation models become what the engine reads, once, when they are fetched."""

from pathlib import Path

import pytest
from hub_server import FakeHub
from weights_caches import WeightsCaches

pytest.importorskip("transformers")
from checkpoints.m2m100 import build_tiny_m2m100

from models.errors import MissingWeights
from models.translation import CTranslate2Settings, Sentence, build
from models.translation.weights import CONVERTED
from models.weights import resolve
from models.weights.manifest import Manifest

pytestmark = [pytest.mark.unit, pytest.mark.slow]


def put(hub: FakeHub, model: str, folder: Path) -> None:
    hub.models[model] = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_checkpoint_of_the_hub_is_converted_into_the_cache(
    tmp_path: Path, fake_hub: FakeHub, weights_caches: WeightsCaches
) -> None:
    build_tiny_m2m100(tmp_path / "published")
    put(fake_hub, "facebook/m2m100_418M", tmp_path / "published")
    settings = CTranslate2Settings(models=("hf://facebook/m2m100_418M",), device="cpu", allow_download=True)
    assert build(settings).name == "facebook/m2m100_418M"
    asked = len(fake_hub.requests)
    engine = build(settings.model_copy(update={"allow_download": False}))
    assert engine.translate([Sentence("a", "en", "fr")])[0].model == "facebook/m2m100_418M"
    assert len(fake_hub.requests) == asked
    folder = resolve("hf://facebook/m2m100_418M", CONVERTED)
    manifest = Manifest.read(folder.parent / "manifest.json")
    assert manifest is not None and manifest.converted
    assert {"model.bin", "translation.json"} < {file.path for file in manifest.files}
    assert not any(file.path.endswith(".safetensors") for file in manifest.files)
    assert sum(1 for _ in (weights_caches.node / ".partial").iterdir()) == 0


@pytest.mark.usefixtures("weights_caches")
def test_a_checkpoint_that_can_not_be_converted_names_the_command(tmp_path: Path, fake_hub: FakeHub) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"0")
    put(fake_hub, "owner/name", tmp_path)
    command = r"python -m models\.translation\.convert --model owner/name --output FOLDER"
    with pytest.raises(MissingWeights, match=rf"type 'bert'.*convert it with: {command}"):
        resolve("hf://owner/name", CONVERTED, allow_download=True)
