"""A process's share of one GPU's memory: limits, measurement and recovery from running out."""

from models.gpu_share.bounds import (
    CONTEXT_BYTES,
    GpuShare,
    ShareExceeded,
    cap_torch,
    check_fit,
    exceeds,
    measure,
    onnx_limit,
    set_share,
    share,
)
from models.gpu_share.errors import forget_locals, is_gpu_fault, is_out_of_memory
from models.gpu_share.recovery import free_memory, in_batches, recoveries, retry_once

__all__ = [
    "CONTEXT_BYTES",
    "GpuShare",
    "ShareExceeded",
    "cap_torch",
    "check_fit",
    "exceeds",
    "forget_locals",
    "free_memory",
    "in_batches",
    "is_gpu_fault",
    "is_out_of_memory",
    "measure",
    "onnx_limit",
    "recoveries",
    "retry_once",
    "set_share",
    "share",
]
