"""PyTorch checkpoints read without PyTorch: arrays and plain data alone, nothing in the file is executed.

The format is that of ``torch.save`` since version 1.6: a zip archive with a pickle of the structure and one member per
storage (https://docs.pytorch.org/docs/stable/notes/serialization.html).
"""

import io
import math
import pickle
from collections import OrderedDict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MOST_BYTES = 2**31
"""Of the whole file; no encoder or segmentation network is near it."""

# Whatever unpickling raises over bytes that are no pickle, or no such pickle.
_DAMAGED = (BadZipFile, pickle.UnpicklingError, AttributeError, EOFError, IndexError, KeyError, OSError, TypeError)

_STORAGES: Mapping[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "BoolStorage": np.dtype("?"),
}


class _Inert:
    """Stand-in for an object that nobody looks at: keeps nothing and does nothing."""

    def __init__(self, *arguments: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


class _StorageKind:
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype


def read_checkpoint(file: Path, *, ignored: Collection[tuple[str, str]] = ()) -> dict[str, Any]:
    """Read the dictionary that a checkpoint holds.

    Args:
        file: A file of ``torch.save``.
        ignored: Classes (module and name) whose objects may be in it; each becomes an empty stand-in.

    Returns:
        Its content; tensors as arrays that own their memory.

    Raises:
        ValueError: It is damaged, of another format, or refers to anything but tensors and plain data.
    """
    try:
        with ZipFile(file) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise ValueError("it is larger than any network that is known here")
            content = _Unpickler(archive, frozenset(ignored)).load()
    except (*_DAMAGED, ValueError) as error:
        raise ValueError(f"{file} can't be read as a checkpoint of PyTorch: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{file} can't be read as a checkpoint of PyTorch: it holds no dictionary")
    return content


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: ZipFile, ignored: frozenset[tuple[str, str]]) -> None:
        pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl")
        super().__init__(io.BytesIO(archive.read(pickles[0])))
        self._archive = archive
        self._folder = pickles[0].removesuffix("data.pkl")
        order = self._folder + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")
        self._ignored = ignored

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _StorageKind(_STORAGES[name])
        if (module, name) in self._ignored:
            return _Inert
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")

    def persistent_load(self, pid: Any) -> Array:
        tag, kind, key, _, count = pid
        if tag != "storage" or not isinstance(kind, _StorageKind) or not isinstance(key, str):
            raise pickle.UnpicklingError("it refers to something outside the file that is no storage")
        storage = np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), dtype=kind.dtype)
        if len(storage) != count:
            raise pickle.UnpicklingError(f"storage {key} has {len(storage)} numbers instead of {count}")
        return storage


def _tensor(storage: Array, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Array:
    """Return a view's numbers, after ``torch._utils._rebuild_tensor_v2``."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if min((offset, *size, *stride), default=0) < 0 or (0 not in size and last >= len(storage)):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    if math.prod(size) > len(storage):
        raise pickle.UnpicklingError("a tensor repeats the numbers of its storage")
    if 0 in size:
        return np.zeros(size, dtype=storage.dtype)
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()
