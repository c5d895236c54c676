"""Wav2Lip's generator with random weights, in the formats in which it is published.

The values of each tensor follow from its name alone.
"""

import zlib
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.lipsync.wav2lip_network import FACE_SIDE, MEL_BANDS, MEL_COLUMNS, Wav2LipNetwork


def random_network() -> Wav2LipNetwork:
    """Return the network in evaluation mode."""
    with torch.device("meta"):
        network = Wav2LipNetwork()
    state = {name: torch.from_numpy(_values(name, tensor.shape)) for name, tensor in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def save_state(network: Wav2LipNetwork, file: Path, *, prefix: str = "module.") -> Path:
    """Write what the authors' training script writes, and return the file."""
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": None, "global_step": 1, "global_epoch": 1}, file)
    return file


def save_torchscript(network: Wav2LipNetwork, file: Path) -> Path:
    """Write the network with its program, and return the file."""
    example = (torch.zeros(1, 1, MEL_BANDS, MEL_COLUMNS), torch.zeros(1, 6, FACE_SIDE, FACE_SIDE))
    torch.jit.trace(network, example, check_trace=False).save(str(file))
    return file


def _values(name: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        values = rng.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = 0.1 * rng.standard_normal(shape)
    else:
        values = rng.standard_normal(shape) / np.sqrt(prod(shape[1:]))
    return values.astype(np.float32)
