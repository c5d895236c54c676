"""Where pretrained models come from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from models.errors import MissingWeights
from models.hub import HubSettings, model_folder

pytestmark = pytest.mark.unit

FILES = ("config.json", "model.safetensors|pytorch_model.bin")


class FakeHub:
    """Stands for the Hub: its repository has some files, and what is fetched of them lies in a folder afterwards."""

    def __init__(self, folder: Path, *files: str) -> None:
        self.folder = folder
        self.files = files
        self.calls: list[dict[str, Any]] = []

    def download(self, model: str, **options: Any) -> str:
        self.calls.append({"model": model, **options})
        if options["local_files_only"]:
            raise LocalEntryNotFoundError("not in the cache")
        for name in set(self.files) & {*options["allow_patterns"], "config.json"}:
            (self.folder / name).touch()
        return str(self.folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeHub]:
    def made(*files: str) -> FakeHub:
        fake = FakeHub(tmp_path, *files)
        monkeypatch.setattr("huggingface_hub.snapshot_download", fake.download)
        return fake

    return made


def test_nothing_is_fetched_unless_the_settings_allow_it(hub: Callable[..., FakeHub]) -> None:
    fake = hub("config.json", "model.safetensors")
    with pytest.raises(
        MissingWeights, match=r"is not on this machine; fetch it with: hf download owner/name --revision"
    ):
        model_folder("owner/name", FILES, HubSettings(), revision="v2")
    assert [call["local_files_only"] for call in fake.calls] == [True]


def test_what_is_allowed_is_fetched_and_safe_files_go_before_others(
    hub: Callable[..., FakeHub], tmp_path: Path
) -> None:
    fake = hub("config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5")
    settings = HubSettings(allow_download=True, cache_dir=tmp_path / "cache")
    assert model_folder("owner/name", FILES, settings, revision="v2") == tmp_path
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    (call,) = fake.calls
    assert (call["model"], call["revision"], call["cache_dir"]) == ("owner/name", "v2", tmp_path / "cache")


def test_the_other_file_is_fetched_where_the_first_is_not_to_be_had(
    hub: Callable[..., FakeHub], tmp_path: Path
) -> None:
    hub("config.json", "pytorch_model.bin")
    model_folder("owner/name", FILES, HubSettings(allow_download=True))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "pytorch_model.bin"]


def test_a_model_without_what_is_needed_is_refused(hub: Callable[..., FakeHub]) -> None:
    hub("config.json")
    with pytest.raises(MissingWeights, match=r"has no model\.safetensors or pytorch_model\.bin"):
        model_folder("owner/name", FILES, HubSettings(allow_download=True))


def test_a_failed_download_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: Any, **_options: Any) -> str:
        raise HfHubHTTPError.__new__(HfHubHTTPError)

    monkeypatch.setattr("huggingface_hub.snapshot_download", refused)
    with pytest.raises(MissingWeights, match="could not be fetched"):
        model_folder("owner/name", FILES, HubSettings(allow_download=True))


def test_a_folder_is_never_taken_for_an_id(hub: Callable[..., FakeHub], tmp_path: Path) -> None:
    fake = hub("config.json")
    for model in (str(tmp_path / "none"), "./none", "~/none/none"):
        with pytest.raises(MissingWeights, match="does not exist"):
            model_folder(model, FILES, HubSettings(allow_download=True))
    assert fake.calls == []
