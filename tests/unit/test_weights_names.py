"""Names of weights: which are taken, what they stand for, and where settings have them."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from models.errors import MissingWeights
from models.speech import SpeechT5Settings, VitsSettings
from models.spoof import WavLmSettings
from models.translation import CTranslate2Settings
from models.weights import Weights, resolve
from models.weights.references import references
from models.weights.sources import HubSource, LocalSource, S3Source, parse_uri

pytestmark = pytest.mark.unit

FOLDER = Weights(files=("config.json",), aliases={"large": "hf://owner/large@v1"})
FILE = Weights(kind="file", hub_ids=False)


class Model(BaseModel):
    folder: Annotated[str, FOLDER] = "x"
    file: Annotated[str, FILE] | None = None


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("hf://owner/name", HubSource("owner/name")),
        ("hf://owner/name@v1.0", HubSource("owner/name", "v1.0")),
        ("hf://owner/name@refs%2Fpr%2F1", HubSource("owner/name", "refs/pr/1")),
        ("hf://owner/na.me@main/en/en_US/a-voice/", HubSource("owner/na.me", "main", "en/en_US/a-voice")),
        ("s3://bucket/some/prefix/", S3Source("bucket", "some/prefix")),
        ("s3://bucket", S3Source("bucket", "")),
        ("file:///srv/my%20models/a", LocalSource(Path("/srv/my models/a"))),
        ("file://localhost/srv/a", LocalSource(Path("/srv/a"))),
    ],
)
def test_uris_are_read(uri: str, source: object) -> None:
    assert parse_uri(uri) == source
    assert FOLDER.source(uri) == source
    assert Model(folder=uri).folder == uri
    if not isinstance(source, LocalSource):
        assert parse_uri(str(source)) == source


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("http://example.org/model", "weights are named by"),
        ("gs://bucket/model", "weights are named by"),
        ("hf:/owner/name", "weights are named by"),
        ("hf://owner", "must be hf://owner/name"),
        ("hf://owner/na--me", "must be hf://owner/name"),
        ("hf://owner/name/../../etc", "not a path below a folder"),
        ("hf://owner/name//x", "not a path below a folder"),
        ("hf://user:secret@owner/name", "credentials"),
        ("s3://key:secret@bucket/prefix", "credentials"),
        ("s3://Bucket_/prefix", "must be s3://bucket/prefix"),
        ("s3://bucket/a/../b", "not a path below a folder"),
        ("s3://bucket/a?versionId=1", "no query"),
        ("file:///srv/../etc", "not a path below a folder"),
        ("file:///srv/%2e%2e/etc", "not a path below a folder"),
        ("file://host/srv", "of this machine"),
        (" owner/name", "white space"),
        ("owner/name\n", "white space"),
        ("", "white space"),
    ],
)
def test_other_names_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Model(folder=name)
    with pytest.raises(ValidationError, match=reason):
        Model(file=name)


def test_a_model_or_a_bucket_is_not_taken_for_a_file() -> None:
    with pytest.raises(ValidationError, match="must name a file in the bucket"):
        Model(file="s3://bucket/")
    with pytest.raises(ValidationError, match="must name a file of the model"):
        Model(file="hf://owner/name@v1")
    assert Model(file="hf://owner/name@v1/weights.pth").file is not None


def test_bare_names_are_paths_or_ids_or_aliases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert FOLDER.source("owner/name") == HubSource("owner/name")
    assert FOLDER.source("owner/name@v2") == HubSource("owner/name", "v2")
    assert FOLDER.source("large") == HubSource("owner/large", "v1")
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert FOLDER.source("owner/name") == LocalSource(Path("owner/name"))
    for path in ("./owner/other", "/owner/other", "../other"):
        assert FOLDER.source(path) == LocalSource(Path(path))
    assert FOLDER.source("~/x") == LocalSource(Path.home() / "x")
    assert FILE.source("owner/name.pth") == LocalSource(Path("owner/name.pth"))
    with pytest.raises(MissingWeights, match=r"neither a folder nor an id on the Hugging Face Hub.* nor one of large"):
        FOLDER.source("larg")


def test_paths_are_taken_as_paths(tmp_path: Path) -> None:
    assert Model.model_validate({"folder": tmp_path, "file": tmp_path / "x"}).folder == str(tmp_path)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["a.safetensors", "a.bin", "config.json"], ["a.safetensors", "config.json"]),
        (["a.bin", "b.bin", "config.json", "sub/a.safetensors"], ["a.bin", "b.bin", "config.json"]),
        (["a.bin", "config.json", "more.json", "sub/more.json", "README.md"], ["a.bin", "config.json", "more.json"]),
        (["a.onnx", "config.json"], None),
    ],
)
def test_what_an_engine_needs_is_chosen_and_nothing_else(paths: list[str], chosen: list[str] | None) -> None:
    assert Weights(files=("config.json", "*.safetensors|*.bin")).chosen(paths) == chosen


def test_a_path_is_used_where_it_lies(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match=f"there is no folder {tmp_path}/x; fetch it with: hf download"):
        resolve(str(tmp_path / "x"), FOLDER)
    with pytest.raises(MissingWeights, match=f"{tmp_path} has no config.json"):
        resolve(str(tmp_path), FOLDER)
    (tmp_path / "config.json").touch()
    assert resolve(f"file://{tmp_path}", FOLDER) == tmp_path
    assert resolve(str(tmp_path / "config.json"), FILE) == tmp_path / "config.json"


def test_all_references_of_settings_are_found() -> None:
    speech = SpeechT5Settings(default_embedding="s3://bucket/voice.npy")
    assert [(found.setting, found.name, found.engine) for found in references(speech)] == [
        ("model", "microsoft/speecht5_tts", "speecht5"),
        ("vocoder", "microsoft/speecht5_hifigan", "speecht5"),
        ("encoder.model", "speechbrain/spkrec-xvect-voxceleb", "xvector"),
        ("default_embedding", "s3://bucket/voice.npy", "speecht5"),
    ]
    models = CTranslate2Settings(models=("hf://facebook/m2m100_418M", "/srv/opus"))
    assert [found.setting for found in references(models)] == ["models.0", "models.1"]
    assert [found.setting for found in references(VitsSettings(models={"en": "a/b"}))] == ["models.en"]
    assert [found.setting for found in references(WavLmSettings(checkpoint="/a"))] == ["checkpoint"]
