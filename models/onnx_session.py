"""ONNX Runtime sessions, on the GPU within this process's share of it or on the CPU."""

import logging
from pathlib import Path
from typing import Any, Literal

from models.gpu_share import onnx_limit
from models.gpu_share.device import gpu_bytes

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_log = logging.getLogger(__name__)


def open_session(
    model: Path | bytes, *, device: Literal["auto", "cpu", "cuda"], threads: int, cpu_arena: bool = True
) -> Any:
    """Open a model.

    Args:
        model: Its file, or what would be in it.
        device: ``auto`` is a GPU where there is one and ONNX Runtime is built for it.
        threads: CPU threads of one call.
        cpu_arena: Keep the CPU memory of the largest call for the next one.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        ValueError: It is no model, or a GPU is asked for and can't be used.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores from other replicas.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = cpu_arena
    on_gpu = _on_gpu(device, onnxruntime.get_available_providers())
    if on_gpu and hasattr(onnxruntime, "preload_dlls"):
        # CUDA's libraries, where they come in packages of Python.
        onnxruntime.preload_dlls()
    providers = [(_CUDA, _cuda_options()), _CPU] if on_gpu else [_CPU]
    source = model if isinstance(model, bytes) else str(model)
    try:
        session = onnxruntime.InferenceSession(source, sess_options=options, providers=providers)
    except Exception as error:  # ONNX Runtime has a class of its own for every way to fail.
        name = "the network" if isinstance(model, bytes) else model
        raise ValueError(f"{name} isn't an ONNX file that can be run: {error}") from error
    if on_gpu and _CUDA not in session.get_providers():
        sentence = "ONNX Runtime can't use the GPU, though it is built for one; its own log says why"
        if device == "cuda":
            raise ValueError(f"device is 'cuda', but {sentence}")
        _log.warning("%s: a model computes on the CPU", sentence)
    return session


def _on_gpu(device: str, available: list[str]) -> bool:
    """Tell whether to use the GPU.

    Raises:
        ValueError: The settings do, in vain.
    """
    if device == "cuda" and _CUDA not in available:
        raise ValueError(
            "device is 'cuda', but the installed onnxruntime computes on CPUs only: replace it by onnxruntime-gpu "
            "(pip uninstall onnxruntime, then pip install onnxruntime-gpu), or set device to 'auto' or 'cpu'"
        )
    if device == "cuda" and gpu_bytes() is None:
        raise ValueError("device is 'cuda', but there is no GPU here; set it to 'auto' or 'cpu'")
    return device != "cpu" and _CUDA in available and gpu_bytes() is not None


def _cuda_options() -> dict[str, str]:
    options = {
        # Twice as much as the arena holds, which is the default, soon meets the limit.
        "arena_extend_strategy": "kSameAsRequested",
        # The default tries all algorithms out for every new length of input.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    limit = onnx_limit()
    if limit is not None:
        options["gpu_mem_limit"] = str(limit)
    return options
