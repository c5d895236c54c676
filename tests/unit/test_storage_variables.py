"""What the objects' settings take from the environment."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from graphs.common.config import StorageSettings, expanded
from storage.objects import DirectorySettings, S3Settings

pytestmark = pytest.mark.unit


def settings(**objects: Any) -> Any:
    return StorageSettings.model_validate({"objects": objects}).objects


def test_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET", "voices")
    monkeypatch.setenv("ENDPOINT", "http://minio:9000/")
    filled = expanded(settings(kind="s3", bucket="${BUCKET}", endpoint_url="${ENDPOINT}", region="eu-west-1"))
    assert filled == S3Settings(bucket="voices", endpoint_url="http://minio:9000", region="eu-west-1")


def test_an_empty_variable_stands_for_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT", "")
    monkeypatch.setenv("REGION", "")
    filled = expanded(settings(kind="s3", bucket="voices", endpoint_url="${ENDPOINT}", region="${REGION}"))
    assert filled == S3Settings(bucket="voices")


def test_an_empty_variable_is_refused_where_there_is_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET", "")
    with pytest.raises(RuntimeError, match=r"storage\.objects\.bucket: Field required"):
        expanded(settings(kind="s3", bucket="${BUCKET}"))


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOICEGRAPH_DATA", raising=False)
    with pytest.raises(RuntimeError, match=r"storage\.objects\.path: \$\{VOICEGRAPH_DATA\}/x names a variable"):
        expanded(settings(kind="directory", path="${VOICEGRAPH_DATA}/x"))


def test_what_a_variable_holds_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENDPOINT", "http://user:secret@minio")
    with pytest.raises(RuntimeError, match=r"endpoint_url: .*credentials come from the environment"):
        expanded(settings(kind="s3", bucket="voices", endpoint_url="${ENDPOINT}"))


@pytest.mark.parametrize("bucket", ["$BUCKET", "${BUCKET}-x!", "${}", "UPPER"])
def test_a_bucket_is_a_name_or_a_variable(bucket: str) -> None:
    with pytest.raises(ValidationError):
        settings(kind="s3", bucket=bucket)


def test_a_folder_without_variables_stays_as_it_is() -> None:
    assert expanded(DirectorySettings(path=Path("/data"))) == DirectorySettings(path=Path("/data"))
