"""Convolutions of Wav2Lip with their batch normalisation folded in."""

from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from models.lipsync.wav2lip_network import Block


@dataclass(frozen=True, slots=True, eq=False)
class FoldedLayer:
    """A convolution, its sum with what came in if it is ``residual``, and a ReLU.

    Attributes:
        weight: As PyTorch's convolutions have it.
        bias: None where what is added elsewhere includes it.
        stride: In height and width.
        padding: On all sides.
        residual: Whether what comes in is added.
        grown: Output padding of a transposed convolution; None for any other.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    stride: tuple[int, int]
    padding: int
    residual: bool = False
    grown: int | None = None

    @classmethod
    def of(cls, block: nn.Module) -> Self:
        """Fold a block's normalisation."""
        assert isinstance(block, Block)
        convolution, norm = block.conv_block
        assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        moments = (norm.running_mean, norm.running_var, norm.eps)
        weight, bias = fuse_conv_bn_weights(
            convolution.weight, convolution.bias, *moments, norm.weight, norm.bias, transposed
        )
        return cls(
            weight.detach(),
            bias.detach(),
            (convolution.stride[0], convolution.stride[1]),
            int(convolution.padding[0]),
            block.residual,
            convolution.output_padding[0] if transposed else None,
        )

    def placed(self, device: torch.device, dtype: torch.dtype) -> Self:
        """Return it with its numbers where and as they are computed with."""
        weight = self.weight.to(device, dtype).contiguous(memory_format=torch.channels_last)
        return replace(self, weight=weight, bias=None if self.bias is None else self.bias.to(device, dtype))

    def split(self, drawn: int) -> tuple[Self, Self]:
        """Split it by the channels that come in: the sum of what both convolve is what it convolves.

        Args:
            drawn: Channels of the first; the second gets the rest, and the bias.
        """
        side = 1 if self.grown is None else 0
        first, second = torch.tensor_split(self.weight, [drawn], dim=side)
        return replace(self, weight=first, bias=None), replace(self, weight=second)

    def convolved(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the convolution alone."""
        if self.grown is None:
            return F.conv2d(inputs, self.weight, self.bias, self.stride, self.padding)
        return F.conv_transpose2d(inputs, self.weight, self.bias, self.stride, self.padding, self.grown)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the layer's output."""
        outputs = self.convolved(inputs)
        if self.residual:
            outputs += inputs
        return outputs.relu_()
