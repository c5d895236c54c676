"""Where PyTorch computes, and with what numbers."""

from typing import Literal

import torch

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "float16", "bfloat16"]


def device_of(name: DeviceName) -> torch.device:
    """Return the device of a setting; ``auto`` is a GPU where there is one.

    Raises:
        ValueError: A GPU is asked for and PyTorch finds none.
    """
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise ValueError("device is 'cuda', but PyTorch finds no GPU here; set it to 'auto' or 'cpu'")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and found) else "cpu")


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of the weights; ``auto`` is float16 on a GPU and float32 on a CPU."""
    if precision == "auto":
        precision = "float16" if device.type == "cuda" else "float32"
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[precision]
