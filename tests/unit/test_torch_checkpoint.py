import io
import os
import pickle
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from models.torch_checkpoint import read_checkpoint

pytestmark = pytest.mark.unit


STORAGE = object()


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def with_pickle(folder: Path, data: bytes, storage: bytes = b"") -> Path:
    with ZipFile(folder / "made.pt", "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", storage)
    return folder / "made.pt"


class Runs:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_arrays_are_those_that_were_saved(tmp_path: Path) -> None:
    whole = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    state = OrderedDict(
        whole=whole,
        transposed=whole.permute(2, 0, 1),
        view=whole[1, 1:, ::2],
        half=whole.half(),
        count=torch.tensor(7),
        empty=torch.zeros(0, 3),
        parameter=torch.zeros(2, dtype=torch.float64),
    )
    found = read_checkpoint(saved(tmp_path, {"state": state, "epoch": 3, "name": "net"}))
    assert (found["epoch"], found["name"]) == (3, "net")
    assert list(found["state"]) == list(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found["state"][name], tensor.numpy(), strict=True)
        assert found["state"][name].flags.owndata


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for evil in (Runs(os.mkdir, str(trace)), Runs(eval, "1 + 1"), Runs(getattr, "a", "upper")):
        with pytest.raises(ValueError, match="it refers to"):
            read_checkpoint(with_pickle(tmp_path, pickle.dumps({"a": evil})))
    assert not trace.exists()


def test_ignored_objects_are_not_made(tmp_path: Path) -> None:
    file = saved(tmp_path, {"lasted": timedelta(seconds=3), "a": torch.ones(2)})
    with pytest.raises(ValueError, match=r"refers to datetime\.timedelta"):
        read_checkpoint(file)
    found = read_checkpoint(file, ignored=[("datetime", "timedelta")])
    assert not isinstance(found["lasted"], timedelta)
    np.testing.assert_array_equal(found["a"], [1, 1])


def tensor_pickle(count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    class Saver(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", torch.FloatStorage, "0", "cpu", count) if obj is STORAGE else None

    buffer = io.BytesIO()
    rebuilt = Runs(torch._utils._rebuild_tensor_v2, STORAGE, offset, size, stride, False, OrderedDict())
    Saver(buffer, protocol=2).dump({"a": rebuilt})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("count", "offset", "size", "stride"),
    [
        (4, 1, (4,), (1,)),
        (4, 0, (2, 2), (4, 1)),
        (4, -1, (2,), (1,)),
        (4, 3, (4,), (-1,)),
        (5, 0, (4,), (1,)),
        (4, 0, (9,), (0,)),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(
    tmp_path: Path, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    good = read_checkpoint(with_pickle(tmp_path, tensor_pickle(4, 0, (4,), (1,)), bytes(16)))
    assert good["a"].tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="storage"):
        read_checkpoint(with_pickle(tmp_path, tensor_pickle(count, offset, size, stride), bytes(16)))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(ValueError, match="can't be read as a checkpoint"):
        read_checkpoint(tmp_path / "bad.pt")


def test_other_content_than_a_dictionary_is_refused(tmp_path: Path) -> None:
    for content in ([torch.ones(1)], {3: torch.ones(1)}):
        with pytest.raises(ValueError, match="no dictionary"):
            read_checkpoint(saved(tmp_path, content))
    with ZipFile(tmp_path / "empty.pt", "w") as archive:
        archive.writestr("archive/version", "3")
    with pytest.raises(ValueError, match=r"no data\.pkl"):
        read_checkpoint(tmp_path / "empty.pt")
