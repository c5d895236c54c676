"""``python -m models.weights``: what a configuration needs is fetched, listed, checked, mirrored and removed."""

import io
import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from hub_server import COMMIT, FakeHub
from rich.console import Console
from weights_caches import WeightsCaches

from models.errors import MissingWeights
from models.speaker.settings import SPEECHBRAIN
from models.speech.settings import PIPER
from models.weights import resolve
from models.weights.__main__ import main
from models.weights.cache import entry_of

pytestmark = pytest.mark.unit

CHECKPOINT = bytes(range(256)) * 1000
CONFIG = """
applications:
  - name: graphs
    import_path: graphs.app:graphs
    args:
      storage: &storage {objects: {kind: directory, path: /data}}
      asr: {engine: {engine: pocketsphinx}}
      speaker: {engine: {engine: ecapa}, concurrency: 4}
      speech:
        engine: {engine: piper, folder: "hf://rhasspy/piper-voices@v1/en/en_GB/alan"}
      lipsync: {engine: {engine: wav2lip, checkpoint: FOLDER/wav2lip.pth, detector: "file://FOLDER/s3fd.pth"}}
      something_new: {engine: {engine: unheard-of}}
    deployments:
      - {name: speech, user_config: {defaults: [alan], concurrency: 2}}
  - name: api
    args: {storage: *storage}
"""


class Command:
    """Runs the command on a configuration."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.said = ""

    def __call__(self, *arguments: str) -> int:
        written = io.StringIO()
        status = main(arguments, Console(file=written, width=200))
        self.said = written.getvalue()
        return status


@pytest.fixture
def run(tmp_path: Path, fake_hub: FakeHub, weights_caches: WeightsCaches) -> Command:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.replace("FOLDER", str(tmp_path)))
    for name in ("wav2lip.pth", "s3fd.pth"):
        (tmp_path / name).write_bytes(b"0" * 2_000_000)
    fake_hub.models = {
        "speechbrain/spkrec-ecapa-voxceleb": {"embedding_model.ckpt": CHECKPOINT, "hyperparams.yaml": b"a: 1"},
        "rhasspy/piper-voices": {
            "en/en_GB/alan/alan.onnx": CHECKPOINT,
            "en/en_GB/alan/alan.onnx.json": b"{}",
            "en/en_GB/alan/MODEL_CARD": b"CC-BY",
            "en/en_GB/cori/cori.onnx": CHECKPOINT,
        },
    }
    fake_hub.cards = {
        "speechbrain/spkrec-ecapa-voxceleb": {"license": "apache-2.0"},
        "rhasspy/piper-voices": {"license": "other", "license_name": "varied-nc"},
    }
    return Command(config)


def listed(run: Command, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert run("list", str(run.config), "--json", *options) == 0
    return {f"{item['role']}.{item['setting']}": item for item in json.loads(capsys.readouterr().out)}


def test_all_that_a_configuration_names_is_fetched_and_engines_find_it(run: Command, fake_hub: FakeHub) -> None:
    assert run("pull", str(run.config)) == 0
    folder = resolve("hf://rhasspy/piper-voices@v1/en/en_GB/alan", PIPER)
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD", "alan.onnx", "alan.onnx.json"]
    checkpoint = resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    assert [path.name for path in checkpoint.iterdir()] == ["embedding_model.ckpt"]
    assert f"speaker model speechbrain/spkrec-ecapa-voxceleb: fetched: {checkpoint}\n" in run.said
    assert f"lipsync checkpoint {run.config.parent}/wav2lip.pth: in place\n" in run.said
    asked = len(fake_hub.requests)
    assert run("pull", str(run.config)) == 0
    assert f"speaker model speechbrain/spkrec-ecapa-voxceleb: here: {checkpoint}\n" in run.said
    assert len(fake_hub.requests) == asked


def test_each_failure_is_a_sentence_and_the_rest_is_fetched(run: Command, fake_hub: FakeHub) -> None:
    fake_hub.gated = {"speechbrain/spkrec-ecapa-voxceleb"}
    (run.config.parent / "s3fd.pth").unlink()
    assert run("pull", str(run.config)) == 1
    said = run.said.splitlines()
    gated = "the model speechbrain/spkrec-ecapa-voxceleb is gated: accept its licence at"
    assert sum(line.startswith(f"speaker model speechbrain/spkrec-ecapa-voxceleb: {gated}") for line in said) == 1
    assert any("s3fd.pth is not there; get s3fd-619a316812.pth from" in line for line in said)
    assert resolve("hf://rhasspy/piper-voices@v1/en/en_GB/alan", PIPER).is_dir()


def test_the_list_tells_sizes_licences_places_and_sources(
    run: Command, capsys: pytest.CaptureFixture[str], fake_hub: FakeHub
) -> None:
    items = listed(run, capsys)
    speaker, voice, film = items["speaker.model"], items["speech.folder"], items["lipsync.checkpoint"]
    assert (speaker["state"], speaker["size"], speaker["size_is"]) == ("missing", len(CHECKPOINT), "source")
    assert (speaker["engine"], speaker["licence"], speaker["commercial_use"]) == ("ecapa", "apache-2.0", None)
    assert (voice["size"], voice["licence"], voice["commercial_use"]) == (len(CHECKPOINT) + 7, "varied-nc", False)
    assert (film["state"], film["size"], film["commercial_use"]) == ("in place", 2_000_000, False)
    assert run("pull", str(run.config)) == 0
    speaker = listed(run, capsys, "--offline")["speaker.model"]
    assert (speaker["state"], speaker["size_is"], speaker["licence"]) == ("cached", "here", "apache-2.0")
    assert speaker["path"] == str(resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN))
    assert run("list", str(run.config)) == 0
    assert "Commercial use is forbidden by the licence of: " in run.said
    row = next(line for line in run.said.splitlines() if "ecapa" in line)
    name = "speechbrain/spkrec-ecapa-voxceleb"
    assert row.split() == ["speaker", "ecapa", name, "0.3", "MB", "apache-2.0", "cached", fake_hub.url]


def test_without_the_hub_what_is_known_of_published_models_is_told(
    run: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    speaker = listed(run, capsys)["speaker.model"]
    assert (speaker["state"], speaker["size_is"], speaker["licence"]) == ("missing", "published", "apache-2.0")


def test_damage_is_found_by_reading_everything(run: Command) -> None:
    run("pull", str(run.config))
    assert run("verify") == run("verify", str(run.config)) == 0
    file = resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN) / "embedding_model.ckpt"
    file.write_bytes(CHECKPOINT[::-1])
    assert run("verify") == 1
    assert f"{file.parents[1]} is damaged: embedding_model.ckpt" in run.said
    assert run("verify", str(run.config)) == 1


def test_what_no_configuration_names_is_removed(run: Command, weights_caches: WeightsCaches) -> None:
    run("pull", str(run.config))
    other = run.config.with_name("other.yaml")
    other.write_text("applications: [{args: {speaker: {engine: {engine: ecapa}}}}]")
    (by_hand := weights_caches.node / "piper").mkdir()
    assert run("prune", str(run.config), str(other)) == 0
    assert len([path for path in weights_caches.node.iterdir() if path.name.startswith("hf--")]) == 2
    assert run("prune", str(other)) == 0
    (left,) = [path.name for path in weights_caches.node.iterdir() if path.name.startswith("hf--")]
    assert left.startswith("hf--speechbrain--spkrec-ecapa-voxceleb-")
    assert by_hand.is_dir()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("applications: [", "is not YAML"),
        (
            "applications: [{args: {speaker: {engine: {engine: ecapa, modell: x}}}}]",
            "speaker.engine.ecapa.modell: Extra",
        ),
        ("applications: [{args: {speaker: {engine: {engine: ecapa, model: 'ftp://x'}}}}]", "weights are named by"),
    ],
)
def test_a_configuration_that_is_not_valid_is_refused(
    run: Command, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    run.config.write_text(content)
    assert run("pull", str(run.config)) == 2
    assert reason in capsys.readouterr().err
    assert run("pull", str(run.config.with_name("none.yaml"))) == 2


@pytest.fixture
def mirror(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="mirror")
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS_MIRROR", "s3://mirror/voicegraph/weights")
    yield client
    for item in client.list_objects_v2(Bucket="mirror").get("Contents", []):
        client.delete_object(Bucket="mirror", Key=item["Key"])
    client.delete_bucket(Bucket="mirror")


def test_a_new_node_fills_its_cache_from_the_mirror_and_asks_no_hub(
    run: Command, mirror: Any, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingWeights, match=r"not on this machine, nor in the mirror s3://mirror/voicegraph/weights"):
        resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    assert run("push", str(run.config)) == 0
    assert "1 files written to s3://mirror/voicegraph/weights/hf--speechbrain" in run.said
    keys = [item["Key"] for item in mirror.list_objects_v2(Bucket="mirror")["Contents"]]
    assert len(keys) == 6 and all(key.startswith("voicegraph/weights/hf--") for key in keys)
    assert run("push", str(run.config)) == 0
    assert "in the mirror: s3://mirror/voicegraph/weights/hf--speechbrain" in run.said

    asked = len(fake_hub.requests)
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", str(run.config.parent / "new-node"))
    folder = resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    assert (folder / "embedding_model.ckpt").read_bytes() == CHECKPOINT
    manifest = json.loads((folder.parent / "manifest.json").read_text())
    assert (manifest["source"], manifest["revision"], manifest["licence"]) == (fake_hub.url, COMMIT, "apache-2.0")
    assert len(fake_hub.requests) == asked


def test_a_mirror_that_was_tampered_with_is_refused(run: Command, mirror: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run("push", str(run.config))
    entry = entry_of(SPEECHBRAIN.source("speechbrain/spkrec-ecapa-voxceleb"), SPEECHBRAIN).name  # type: ignore[arg-type]
    key = f"voicegraph/weights/{entry}"
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS", str(run.config.parent / "new-node"))
    mirror.put_object(Bucket="mirror", Key=f"{key}/content/embedding_model.ckpt", Body=CHECKPOINT[::-1])
    with pytest.raises(MissingWeights, match=r"embedding_model\.ckpt came with another checksum"):
        resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    manifest = mirror.get_object(Bucket="mirror", Key=f"{key}/manifest.json")["Body"].read()
    outside = manifest.replace(b'"embedding_model.ckpt"', b'"../embedding_model.ckpt"')
    mirror.put_object(Bucket="mirror", Key=f"{key}/manifest.json", Body=outside)
    with pytest.raises(MissingWeights, match=r"manifest\.json is not a manifest of this version"):
        resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    assert not list(run.config.parent.joinpath("new-node").rglob("*.ckpt"))


def test_what_lies_in_the_hugging_face_cache_is_pushed_too(
    run: Command, mirror: Any, weights_caches: WeightsCaches, fake_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run.config.parent / "made"
    made.mkdir()
    (made / "embedding_model.ckpt").write_bytes(CHECKPOINT)
    weights_caches.put_from_hub("speechbrain/spkrec-ecapa-voxceleb", made)
    run.config.write_text("applications: [{args: {speaker: {engine: {engine: ecapa}}}}]")
    monkeypatch.setenv("VOICEGRAPH_WEIGHTS_MIRROR", "s3://mirror")
    assert run("push", str(run.config)) == 0
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nowhere")
    folder = resolve("speechbrain/spkrec-ecapa-voxceleb", SPEECHBRAIN)
    assert folder.is_relative_to(weights_caches.node)
    assert fake_hub.requests == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "there is no mirror: set"), ("/srv/mirror", "must be s3"), ("s3://a@b/c", "credentials")],
)
def test_a_push_without_a_mirror_is_refused(
    run: Command, monkeypatch: pytest.MonkeyPatch, value: str | None, reason: str
) -> None:
    if value:
        monkeypatch.setenv("VOICEGRAPH_WEIGHTS_MIRROR", value)
    assert run("push", str(run.config)) == 1
    assert reason in run.said
