"""The tensors of a TorchScript file, read without running anything that is in it.

``torch.jit.load`` would compile the file's program and may run parts of it. The file is a ZIP archive, though, with the
modules as a pickle of plain data beside the program: here it is read by an unpickler that knows no functions but those
below, all of which only put data together.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
_PROGRAM = "constants.pkl"


def is_torchscript(file: Path) -> bool:
    """Tell whether a file is what ``torch.jit.save`` writes."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.split("/")[1:] == [_PROGRAM] for name in archive.namelist())


def read_torchscript(file: Path) -> dict[str, torch.Tensor]:
    """Return the parameters and buffers of a TorchScript module by their names, as ``state_dict`` has them.

    Raises:
        ValueError: The file is damaged, or holds what a TorchScript module does not.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            root = archive.namelist()[0].split("/")[0]
            with archive.open(f"{root}/data.pkl") as data:
                module = _Unpickler(data, archive, root).load()
            return dict(_tensors(module, ""))
    except (pickle.UnpicklingError, zipfile.BadZipFile, LookupError, RuntimeError, TypeError, EOFError) as error:
        raise ValueError(f"{file} is not a TorchScript module, or is damaged: {error}") from error


class _Module:
    """Stands for any class of the file's program: keeps its attributes."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a module without named attributes")
        self.attributes = state


def _tensors(module: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(module, torch.Tensor):
        yield name, module
    elif isinstance(module, _Module):
        for attribute, value in module.attributes.items():
            yield from _tensors(value, f"{name}.{attribute}" if name else attribute)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: Any, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(data)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch.jit._pickle":
            return _as_it_is
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        _, dtype, key, _, _ = pid
        content = bytearray(self._archive.read(f"{self._root}/data/{key}"))
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _tensor(storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Any:
    return storage.as_strided(size, stride, offset)


def _as_it_is(value: Any, *_: Any) -> Any:
    return value
