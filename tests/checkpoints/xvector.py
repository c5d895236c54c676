"""Speaker encoders with SpeechBrain's names of tensors, small enough to build inside a test.

The values follow from the shapes and a seed alone, whatever the versions of NumPy and PyTorch.
"""

import math
from pathlib import Path

import numpy as np

XVECTOR_CHANNELS = (16, 16, 16, 16, 24)
ECAPA_CHANNELS, ECAPA_SCALE = 16, 4


def build_tiny_xvector(folder: Path, *, mels: int = 24, dimension: int = 12) -> Path:
    """Write an x-vector checkpoint into the folder, and return the folder."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = mels
    for layer, (channels, kernel) in enumerate(zip(XVECTOR_CHANNELS, (5, 3, 3, 1, 1), strict=True)):
        shapes |= _layer(f"blocks.{3 * layer}.conv", (channels, before, kernel))
        shapes |= _norm(f"blocks.{3 * layer + 2}.norm", channels)
        before = channels
    shapes |= _layer("blocks.16.w", (dimension, 2 * before))
    return _write(folder, shapes)


def build_tiny_ecapa(folder: Path, *, mels: int = 80, dimension: int = 12) -> Path:
    """Write an ECAPA-TDNN checkpoint into the folder, and return the folder."""
    width = ECAPA_CHANNELS
    shapes = _time_delay("blocks.0", (width, mels, 5))
    for block in ("blocks.1", "blocks.2", "blocks.3"):
        shapes |= _time_delay(f"{block}.tdnn1", (width, width, 1))
        for group in range(ECAPA_SCALE - 1):
            channels = width // ECAPA_SCALE
            shapes |= _time_delay(f"{block}.res2net_block.blocks.{group}", (channels, channels, 3))
        shapes |= _time_delay(f"{block}.tdnn2", (width, width, 1))
        shapes |= _layer(f"{block}.se_block.conv1.conv", (8, width, 1))
        shapes |= _layer(f"{block}.se_block.conv2.conv", (width, 8, 1))
    shapes |= _time_delay("mfa", (48, 3 * width, 1))
    shapes |= _time_delay("asp.tdnn", (8, 3 * 48, 1))
    shapes |= _layer("asp.conv.conv", (48, 8, 1)) | _norm("asp_bn.norm", 96) | _layer("fc.conv", (dimension, 96, 1))
    return _write(folder, shapes)


def _time_delay(name: str, kernel: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    return _layer(f"{name}.conv.conv", kernel) | _norm(f"{name}.norm.norm", kernel[0])


def _layer(name: str, weight: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    of_channels = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{kind}": (channels,) for kind in of_channels}, f"{name}.num_batches_tracked": ()}


def _write(folder: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    import torch

    rng = np.random.RandomState(7)
    state = {}
    for name, shape in shapes.items():
        values = np.asarray(rng.uniform(-1, 1, shape) / math.prod(shape[1:]) ** 0.5)
        if name.endswith("running_var") or (".norm" in name and name.endswith("weight")):
            values = 1 + values / 2
        tensor = torch.tensor(values, dtype=torch.float32)
        state[name] = torch.tensor(0) if name.endswith("num_batches_tracked") else tensor
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "embedding_model.ckpt")
    return folder
