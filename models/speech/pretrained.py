"""Loading of ``transformers`` speech models for inference."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils import parametrize

_LISTED = 4


def load_pretrained(kind: Any, folder: Path, device: torch.device, dtype: torch.dtype) -> Any:
    """Load a model for inference, its weight normalisation worked into the weights.

    Args:
        kind: A class of ``transformers`` with ``from_pretrained``.
        folder: With its configuration and weights.
        device: Where it will run.
        dtype: Of its weights.

    Raises:
        ValueError: The weights don't fit the configuration.
    """
    model, info = kind.from_pretrained(
        str(folder),
        local_files_only=True,
        dtype=torch.float32,
        output_loading_info=True,
        # Refused below, in a sentence.
        ignore_mismatched_sizes=True,
    )
    # The library would fill these with random numbers and a warning.
    if faults := sorted({*info["missing_keys"], *(fault[0] for fault in info["mismatched_keys"])}):
        more = f" and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise ValueError(f"the weights in {folder} don't fit its config.json: no {', '.join(faults[:_LISTED])}{more}")
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return model.eval().to(device, dtype)


def as_samples(waveform: torch.Tensor) -> NDArray[np.float32]:
    """Return a waveform of any shape as float32[n] in [-1, 1].

    Raises:
        FloatingPointError: The model left the range of its precision.
    """
    samples: NDArray[np.float32] = waveform.float().reshape(-1).cpu().numpy()
    if not np.isfinite(samples).all():
        raise FloatingPointError(f"the model overflows in {waveform.dtype}; set `precision` to bfloat16 or float32")
    return np.clip(samples, -1, 1)
