"""The share of one GPU's memory that this process may hold.

Set once, before an engine is built. PyTorch and ONNX Runtime are held to it; CTranslate2 has no limit that could be
set, so what it holds can only be compared with the share afterwards (see docs/gpu.md).
"""

import logging
import os
import sys
from dataclasses import dataclass

from models.gpu_share.device import gpu_bytes, held_bytes
from models.gpu_share.recovery import free_memory

_log = logging.getLogger(__name__)

MEBIBYTE = 1024 * 1024

CONTEXT_BYTES = 600 * MEBIBYTE
"""Bytes assumed to be held beside tensors (the CUDA context, the libraries' kernels), unless more is measured."""

_MOST_CACHED = 200 * MEBIBYTE
"""CTranslate2's own bound of its cache."""


class ShareExceeded(Exception):
    """An engine does not fit into its process's share of the GPU; the message says what would."""


@dataclass(frozen=True, slots=True)
class GpuShare:
    """Part of a GPU's memory that a process may hold.

    Attributes:
        gpus: The part of one GPU; 1 or more are whole GPUs.
        gpu_bytes: Memory of one of them.
        models: Models that may be loaded at once, where a runtime bounds each by itself.
    """

    gpus: float
    gpu_bytes: int
    models: int = 1

    @property
    def bytes(self) -> int:
        """Bytes that the process may hold."""
        return int(self.gpus * self.gpu_bytes)

    @property
    def bounded(self) -> bool:
        """True where other processes share the GPU."""
        return self.gpus < 1


_share: GpuShare | None = None
_beside_tensors = CONTEXT_BYTES


def set_share(gpus: float, *, models: int = 1) -> GpuShare | None:
    """Set the share of the GPU that this process may hold; to be called before any library uses the GPU.

    Args:
        gpus: The part of one GPU, above 0; 1 or more are whole GPUs, which nobody shares.
        models: Models that may be loaded at once.

    Returns:
        The share; None where the process sees no GPU.

    Raises:
        ShareExceeded: Not even a CUDA context fits into it.
    """
    global _share, _beside_tensors
    _share, _beside_tensors = None, CONTEXT_BYTES
    memory = gpu_bytes()
    if memory is None:
        _log.warning("a share of %g GPUs was given, but there is no GPU here", gpus)
        return None
    share = GpuShare(gpus, memory, models)
    if share.bounded:
        if share.bytes <= CONTEXT_BYTES:
            raise ShareExceeded(
                f"{gpus:g} of a GPU are {_mib(share.bytes)}, and a process needs about {_mib(CONTEXT_BYTES)} before it "
                "holds any model: raise the deployment's num_gpus"
            )
        _bound_caches(share)
    _share = share
    return share


def share() -> GpuShare | None:
    """Return this process's share; None where none was set or there is no GPU."""
    return _share


def cap_torch() -> None:
    """Hold PyTorch to the share, less what the process holds beside PyTorch's tensors; call it before any is made."""
    if _share is None or not _share.bounded:
        return
    import torch

    room = max(0, _share.bytes - _beside_tensors)
    torch.cuda.set_per_process_memory_fraction(room / _share.gpu_bytes, 0)


def onnx_limit() -> int | None:
    """Return what one model on ONNX Runtime may hold, in bytes; None where it may hold all."""
    if _share is None or not _share.bounded:
        return None
    return (_share.bytes - CONTEXT_BYTES) // _share.models


def measure() -> int | None:
    """Return the GPU memory that the process holds, in bytes, and hold PyTorch to what that leaves of the share.

    None where it can't be told. Where the driver does not say, what PyTorch holds is known, and the rest estimated.
    """
    global _beside_tensors
    torch = sys.modules.get("torch")
    tensors = torch.cuda.memory_reserved(0) if torch is not None and torch.cuda.is_initialized() else 0
    held = held_bytes()
    if held is None or held < tensors:
        return tensors + CONTEXT_BYTES if tensors else None
    # Never less than was assumed: kernels are loaded when they are first needed.
    beside = max(CONTEXT_BYTES, held - tensors)
    if tensors and beside != _beside_tensors:
        _beside_tensors = beside
        cap_torch()
    return held


def check_fit() -> int | None:
    """Compare what the process holds with its share, once its engine is warm.

    Returns:
        What it holds, in bytes; None where that can't be told.

    Raises:
        ShareExceeded: It is more than the share.
    """
    free_memory()
    held = measure()
    if _share is None or not _share.bounded:
        return held
    if held is None:
        _log.warning("what the process holds of the GPU can't be told: its share of it is not verified")
    elif held > _share.bytes:
        raise ShareExceeded(exceeds(held, _share))
    return held


def exceeds(held: int, share: GpuShare) -> str:
    """Return the error for a share that is too small; its message names one that suffices."""
    needed = -(-100 * held // share.gpu_bytes) / 100
    return (
        f"the engine holds {_mib(held)} of GPU memory, and its share ({share.gpus:g} of {_mib(share.gpu_bytes)}) is "
        f"{_mib(share.bytes)}: set the deployment's num_gpus to {needed:g} or more, or choose a smaller model, batch "
        "or compute type"
    )


def _bound_caches(share: GpuShare) -> None:
    """Set what the libraries read at their first use of the GPU; an operator's own values stay."""
    # Segments that grow leave no holes: less is lost to fragmentation within the cap.
    if "PYTORCH_CUDA_ALLOC_CONF" not in os.environ:
        os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    # By default CTranslate2 takes memory from the driver's pool, which takes back what is free. Where the driver has no
    # pools, it keeps blocks itself, for each of its threads: growth, smallest and largest bin, most bytes.
    cached = min(_MOST_CACHED, (share.bytes - CONTEXT_BYTES) // 8)
    os.environ.setdefault("CT2_CUDA_CACHING_ALLOCATOR_CONFIG", f"4,3,12,{cached}")


def _mib(count: int) -> str:
    return f"{count / MEBIBYTE:.0f} MiB"
