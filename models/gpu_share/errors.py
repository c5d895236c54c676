"""Classification of GPU runtimes' errors by class and text, without loading any of the runtimes."""

import sys
import traceback
from collections.abc import Iterator

from models.errors import OutOfGpuMemory

_OUT_OF_MEMORY = (
    # PyTorch: its allocator, and the driver under it.
    "cuda out of memory",
    "cuda error: out of memory",
    # CTranslate2.
    "cuda failed with error out of memory",
    # ONNX Runtime: its arena, the arena's limit, and the driver.
    "failed to allocate memory for requested buffer",
    "is smaller than requested bytes of",
    "cuda failure 2: out of memory",
    # The libraries under all three.
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
)
_FAULTS = (
    "cuda error",
    "cuda driver error",
    "cuda failed with error",
    "cuda failure",
    "cublas failure",
    "cudnn failure",
    "cublas_status_execution_failed",
    "cublas_status_internal_error",
    "cudnn_status_execution_failed",
    "cudnn_status_internal_error",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether work failed for lack of GPU memory, or of this process's share of it; a smaller batch may fit.

    The host's memory (``MemoryError``) is another matter: it belongs to all processes of the machine.
    """
    return any(_says(cause, _OUT_OF_MEMORY) or _is_class(cause) for cause in _causes(error))


def is_gpu_fault(error: BaseException) -> bool:
    """Tell whether the process has lost the GPU: after an illegal access or a failed assertion, no later call works."""
    return not is_out_of_memory(error) and any(_says(cause, _FAULTS) for cause in _causes(error))


def forget_locals(error: BaseException) -> None:
    """Release what the failed calls' frames hold, such as tensors, which otherwise live as long as the traceback."""
    for cause in _causes(error):
        traceback.clear_frames(cause.__traceback__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _is_class(error: BaseException) -> bool:
    if isinstance(error, OutOfGpuMemory):
        return True
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    # PyTorch and CTranslate2 raise RuntimeErrors; ONNX Runtime has classes of its own.
    if not isinstance(error, RuntimeError) and not type(error).__module__.startswith("onnxruntime."):
        return False
    said = str(error).lower()
    return any(text in said for text in texts)
