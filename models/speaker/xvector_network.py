"""The x-vector network (Snyder et al., 2018) in the form of SpeechBrain's ``Xvector``."""

import re
from collections.abc import Mapping
from typing import Self

import torch
from torch import nn

DILATIONS = (1, 2, 3, 1, 1)
DEVIATION_FLOOR = 1e-5
MEAN_OFFSET = 5e-5
"""The mean of the noise that SpeechBrain adds to the pooled means, of 1e-5 to 9e-5."""

# SpeechBrain counts convolutions, activations, norms, the pooling and the last layer through.
_NAMES = {f"blocks.{3 * layer}.conv.": f"layers.{layer}.conv." for layer in range(len(DILATIONS))}
_NAMES |= {f"blocks.{3 * layer + 2}.norm.": f"layers.{layer}.norm." for layer in range(len(DILATIONS))}
_NAMES[f"blocks.{3 * len(DILATIONS) + 1}.w."] = "embedding."
_BEFORE_PARAMETER = re.compile(r"^.*\.")


class XvectorNetwork(nn.Module):
    """Maps spectra, float32[windows, mels, frames], to embeddings, float32[windows, D], whatever their length.

    Args:
        mels: Bands of the spectra.
        shapes: Channels and kernel width of each time-delay layer.
        dimension: D.
    """

    def __init__(self, mels: int, shapes: list[tuple[int, int]], dimension: int) -> None:
        super().__init__()
        self.mels = mels
        self.dimension = dimension
        inputs = [mels, *(channels for channels, _kernel in shapes)]
        self.layers = nn.ModuleList(
            _TimeDelay(before, channels, kernel, dilation)
            for before, (channels, kernel), dilation in zip(inputs[:-1], shapes, DILATIONS, strict=True)
        )
        self.embedding = nn.Linear(2 * inputs[-1], dimension)

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> Self:
        """Make the network that SpeechBrain saved.

        Raises:
            KeyError: A tensor is missing.
            RuntimeError: The tensors are those of another network.
        """
        named = {_named(name): tensor for name, tensor in state.items()}
        kernels = [named[f"layers.{layer}.conv.weight"] for layer in range(len(DILATIONS))]
        shapes = [(kernel.shape[0], kernel.shape[-1]) for kernel in kernels]
        network = cls(kernels[0].shape[1], shapes, named["embedding.weight"].shape[0])
        network.load_state_dict(named)
        return network.eval()

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """See the class."""
        frames = spectra
        for layer in self.layers:
            frames = layer(frames)
        means, deviations = frames.mean(dim=2), frames.std(dim=2)
        pooled: torch.Tensor = self.embedding(torch.cat((means + MEAN_OFFSET, deviations + DEVIATION_FLOOR), dim=1))
        return pooled


class _TimeDelay(nn.Module):
    def __init__(self, inputs: int, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(inputs, channels, kernel, dilation=dilation, padding=padding, padding_mode="reflect")
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(nn.functional.leaky_relu(self.conv(frames)))
        return normed


def _named(name: str) -> str:
    return _BEFORE_PARAMETER.sub(lambda match: _NAMES.get(match[0], match[0]), name)
