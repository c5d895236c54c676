"""Fetching weights from a hub and from S3 over real HTTP, into the cache of the node."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from hub_server import COMMIT, FakeHub
from weights_caches import WeightsCaches

from models.errors import MissingWeights
from models.weights import Weights, cached, resolve
from models.weights.cache import entry_of
from models.weights.manifest import Manifest

pytestmark = pytest.mark.unit

BINARY = bytes(range(256)) * 4000
NEEDED = Weights(files=("config.json", "model.safetensors|model.bin"))
FILE = Weights(kind="file", hub_ids=False)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.weights.download._LONGEST_PAUSE_S", 0.0)


@pytest.fixture
def model(fake_hub: FakeHub, weights_caches: WeightsCaches) -> FakeHub:
    fake_hub.models["owner/name"] = {
        "config.json": b"{}",
        "model.bin": BINARY,
        "model.onnx": b"not wanted",
        "sub/voice.json": b"[]",
        "sub/voice.pth": BINARY,
    }
    fake_hub.cards["owner/name"] = {"license": "cc-by-nc-4.0"}
    return fake_hub


def fetch(name: str = "hf://owner/name@v1", weights: Weights = NEEDED) -> Path:
    return resolve(name, weights, allow_download=True)


def left_in(caches: WeightsCaches) -> list[str]:
    return sorted(path.name for path in caches.node.glob("*") if not path.name.startswith("."))


def test_what_is_needed_is_fetched_once_with_a_manifest(model: FakeHub, weights_caches: WeightsCaches) -> None:
    folder = fetch()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.bin"]
    assert (folder / "model.bin").read_bytes() == BINARY
    manifest = Manifest.read(folder.parent / "manifest.json")
    assert manifest is not None
    assert (manifest.reference, manifest.source) == ("hf://owner/name@v1", model.url)
    assert (manifest.revision, manifest.licence) == (COMMIT, "cc-by-nc-4.0")
    sizes = [(file.path, file.size, file.sha256) for file in manifest.files]
    assert sizes[1] == ("model.bin", len(BINARY), hashlib.sha256(BINARY).hexdigest())
    assert sizes[0] == ("config.json", 2, hashlib.sha256(b"{}").hexdigest())
    asked = len(model.requests)
    assert fetch() == resolve("owner/name@v1", NEEDED) == folder
    assert len(model.requests) == asked
    assert folder.is_relative_to(weights_caches.node)


def test_a_folder_and_a_file_inside_a_model_can_be_named(model: FakeHub) -> None:
    folder = fetch("hf://owner/name/sub", Weights(files=("voice.pth",)))
    assert sorted(path.name for path in folder.iterdir()) == ["voice.json", "voice.pth"]
    file = fetch("hf://owner/name@v1/sub/voice.pth", FILE)
    assert file.name == "voice.pth" and file.read_bytes() == BINARY
    with pytest.raises(MissingWeights, match="has no sub/none"):
        fetch("hf://owner/name/sub/none", FILE)


@pytest.mark.usefixtures("model")
def test_nothing_is_fetched_unless_the_settings_allow_it(fake_hub: FakeHub) -> None:
    command = r"python -m models\.weights pull serve_config\.yaml .*or set `allow_download`$"
    with pytest.raises(MissingWeights, match=rf"^the weights owner/name are missing: not on this machine; .*{command}"):
        resolve("owner/name", NEEDED)
    gate = "accept its licence at https://huggingface.co/pyannote/segmentation-3.0 and set HF_TOKEN"
    with pytest.raises(MissingWeights, match=gate):
        resolve("pyannote/segmentation-3.0", NEEDED)
    assert fake_hub.requests == []


def test_a_download_goes_on_where_the_connection_was_cut(model: FakeHub) -> None:
    model.cut_after = 300_000
    assert (fetch() / "model.bin").read_bytes() == BINARY
    assert model.ranges("model.bin") == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_later_attempt_goes_on_where_an_earlier_one_was_given_up(
    model: FakeHub, weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.cut_after = 300_000
    monkeypatch.setattr("models.weights.download.TRIES", 1)
    model.gate = lambda: setattr(model, "cut_after", 0 if model.ranges("model.bin")[1:] else 300_000)
    with pytest.raises(MissingWeights, match=r"model\.bin did not come.*the next try goes on from there"):
        fetch()
    assert left_in(weights_caches) == []
    assert cached("hf://owner/name@v1", NEEDED) is None
    model.gate = lambda: setattr(model, "cut_after", None)
    assert (fetch() / "model.bin").read_bytes() == BINARY
    assert model.ranges("model.bin") == [None, "bytes=300000-", "bytes=300000-"]
    assert model.ranges("config.json") == [None]


def test_what_an_earlier_attempt_brought_of_another_version_is_not_used(
    model: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.weights.download.TRIES", 1)
    model.cut_after = 0
    with pytest.raises(MissingWeights):
        fetch()
    model.cut_after = None
    model.models["owner/name"]["model.bin"] = other = BINARY[::-1]
    assert (fetch() / "model.bin").read_bytes() == other


def test_a_file_with_another_checksum_is_refused_and_thrown_away(model: FakeHub, weights_caches: WeightsCaches) -> None:
    for path, kind in (("config.json", "git"), ("model.bin", "sha256")):
        model.tampered = {path}
        with pytest.raises(MissingWeights, match=f"{path} came with another checksum than {kind}:"):
            fetch()
        assert left_in(weights_caches) == []
    model.tampered = set()
    assert (fetch() / "model.bin").read_bytes() == BINARY


def test_a_cached_model_that_lost_bytes_is_fetched_again(model: FakeHub) -> None:
    folder = fetch()
    os.truncate(folder / "model.bin", 10)
    assert cached("hf://owner/name@v1", NEEDED) is None
    assert fetch() == folder
    assert (folder / "model.bin").read_bytes() == BINARY


def test_what_lies_in_the_hugging_face_cache_is_used(
    model: FakeHub, weights_caches: WeightsCaches, tmp_path: Path
) -> None:
    (tmp_path / "made").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "made" / name).touch()
    snapshot = weights_caches.put_from_hub("owner/name", tmp_path / "made")
    assert fetch("owner/name") == snapshot
    assert model.requests == []
    (snapshot / "config.json").unlink()
    assert fetch("owner/name").is_relative_to(weights_caches.node)


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("hf_other", 403)])
def test_a_gated_model_names_its_licence_page_and_the_token(
    model: FakeHub, monkeypatch: pytest.MonkeyPatch, token: str | None, status: int
) -> None:
    model.gated = {"owner/name"}
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(MissingWeights, match=f"gated: accept its licence at {model.url}/owner/name, and set HF_TOKEN"):
        fetch()
    monkeypatch.setenv("HF_TOKEN", "hf_accepted")
    assert fetch().is_dir()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hf://owner/none", "there is no model owner/none"),
        ("hf://owner/name@v9", "the model owner/name has no revision v9"),
        ("hf://owner/name/sub", r"has no config\.json and model\.safetensors or model\.bin"),
    ],
)
@pytest.mark.usefixtures("model")
def test_what_the_hub_does_not_have_is_told(name: str, reason: str) -> None:
    with pytest.raises(MissingWeights, match=reason):
        fetch(name)


def test_a_hub_that_is_not_reached_is_told(weights_caches: WeightsCaches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingWeights, match=r"no connection to http://127\.0\.0\.1:9"):
        fetch()
    assert left_in(weights_caches) == []


@pytest.mark.parametrize("path", ["../out.json", "/etc/out.json", "a/../../out.json", "a\\out.json"])
def test_a_file_that_would_leave_the_cache_is_refused(model: FakeHub, weights_caches: WeightsCaches, path: str) -> None:
    model.models["owner/name"][path] = b"{}"
    with pytest.raises(MissingWeights, match="dangerous name"):
        fetch()
    assert not list(weights_caches.node.parent.rglob("out.json"))


@pytest.mark.slow
def test_two_processes_fetch_once(model: FakeHub, weights_caches: WeightsCaches) -> None:
    go = threading.Event()
    model.gate = lambda: go.wait(60)
    program = (
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        "from models.weights import Weights, resolve\n"
        f"print(resolve('owner/name', Weights(files={NEEDED.files!r}), allow_download=True))"
    )

    def start() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def says(process: "subprocess.Popen[str]", words: str) -> bool:
        assert process.stderr is not None
        return any(words in line for line in process.stderr)

    with start() as first:
        try:
            assert says(first, "fetching hf://owner/name")
            with start() as second:
                assert says(second, "another process fetches hf://owner/name")
                go.set()
                places = [process.communicate(timeout=60)[0].strip() for process in (first, second)]
        finally:
            go.set()
    assert places[0] == places[1] and Path(places[0]).is_relative_to(weights_caches.node)
    assert len(model.ranges("model.bin")) == 1


Bucket = Callable[[dict[str, bytes]], None]


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="weights")

    def put(objects: dict[str, bytes]) -> None:
        for key, content in objects.items():
            client.put_object(Bucket="weights", Key=key, Body=content)

    def empty() -> None:
        for item in client.list_objects_v2(Bucket="weights").get("Contents", []):
            client.delete_object(Bucket="weights", Key=item["Key"])
        client.delete_bucket(Bucket="weights")

    request.addfinalizer(empty)
    return put


@pytest.mark.usefixtures("weights_caches")
def test_a_folder_and_a_file_are_fetched_from_s3(bucket: Bucket) -> None:
    bucket({"a/config.json": b"{}", "a/model.bin": BINARY, "a/other.bin": b"x", "ab/config.json": b"[]"})
    # No permission is asked: the bucket is the operator's own.
    folder = resolve("s3://weights/a", NEEDED)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"config.json": b"{}", "model.bin": BINARY}
    assert resolve("s3://weights/a/other.bin", FILE).read_bytes() == b"x"
    with pytest.raises(MissingWeights, match="there is nothing at s3://weights/none"):
        resolve("s3://weights/none", NEEDED)
    with pytest.raises(MissingWeights, match=r"s3://weights/none\.bin"):
        resolve("s3://weights/none.bin", FILE)
    with pytest.raises(MissingWeights, match=r"there is nothing at s3://no-such-bucket/a \(NoSuchBucket\)"):
        resolve("s3://no-such-bucket/a", NEEDED)


@pytest.mark.usefixtures("weights_caches")
def test_a_download_from_s3_goes_on_where_an_earlier_one_ended(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket({"a/model.bin": BINARY})
    offsets: list[int] = []
    from models.weights.origins import ConnectionLost
    from models.weights.s3 import S3Folder

    read = S3Folder.read

    def cut(self: S3Folder, path: str, offset: int, etag: str | None):  # type: ignore[no-untyped-def]
        offsets.append(offset)
        content = b"".join(read(self, path, offset, etag))
        yield content[:400_000]
        if len(content) > 400_000:
            raise ConnectionLost("cut")

    monkeypatch.setattr(S3Folder, "read", cut)
    assert resolve("s3://weights/a/model.bin", FILE).read_bytes() == BINARY
    assert offsets == [0, 400_000, 800_000]


def test_engines_that_need_different_files_of_a_model_have_entries_of_their_own() -> None:
    source = NEEDED.source("hf://owner/name")
    assert not isinstance(source, Path)
    names = {entry_of(source, weights).name for weights in (NEEDED, Weights(files=("a",)), Weights(kind="file"))}  # type: ignore[arg-type]
    assert len(names) == 3 and all(name.startswith("hf--owner--name-") for name in names)
