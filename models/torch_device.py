"""PyTorch's device and number type, from an engine's settings."""

from typing import Literal

import torch

from models.gpu_share import cap_torch

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "float16", "bfloat16"]


def device_of(name: DeviceName) -> torch.device:
    """Return the device of a setting; ``auto`` is a GPU where there is one, with PyTorch held to this process's share.

    Raises:
        ValueError: A GPU is asked for and PyTorch finds none.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ValueError("device is 'cuda', but PyTorch finds no GPU here; set it to 'auto' or 'cpu'")
    if name == "cpu" or not found:
        return torch.device("cpu")
    cap_torch()
    return torch.device("cuda")


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of the weights; ``auto`` is float16 on a GPU and float32 on a CPU."""
    if precision == "auto":
        precision = "float16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[precision]
