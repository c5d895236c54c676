"""Convolutions of 3x3 on a CPU by Winograd's minimal filtering.

Four by four outputs are computed from six by six inputs with 36 multiplications a channel instead of 144 (Lavin and
Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, F(4x4, 3x3)). All steps are matrix products.

It saves 22 % of the network's CPU time and 20 % of a whole film's, encoding included, on two cores
(``python -m benchmarks.avatar --part network`` compares the network with and without it).
"""

from typing import Self

import torch
import torch.nn.functional as F

from models.lipsync.wav2lip_layers import FoldedLayer

LEAST_CHANNELS = 128
"""With fewer, the transforms cost more than they save."""

_OUT, _IN = 4, 6

_OF_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_OF_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_OF_OUTPUT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)


class WinogradLayer:
    """Computes a ``FoldedLayer`` of 3x3 that leaves height, width and channels as they are.

    Args:
        layer: On the CPU, in float32.
    """

    def __init__(self, layer: FoldedLayer) -> None:
        assert layer.bias is not None
        self._bias, self._residual = layer.bias, layer.residual
        taps = layer.weight.permute(2, 3, 1, 0)
        self._kernels = torch.mm(_both_ways(_OF_KERNEL), taps.flatten(0, 1).flatten(1)).view(-1, *taps.shape[2:])
        self._of_input, self._of_output = _both_ways(_OF_INPUT), _both_ways(_OF_OUTPUT)

    @classmethod
    def or_as_it_is(cls, layer: FoldedLayer) -> Self | FoldedLayer:
        """Return the faster form of a layer."""
        outputs, inputs, *kernel = layer.weight.shape
        fits = kernel == [3, 3] and (layer.stride, layer.padding, layer.grown) == ((1, 1), 1, None)
        on_cpu = layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32
        return cls(layer) if fits and on_cpu and inputs == outputs >= LEAST_CHANNELS else layer

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the layer's output, [batch, channels, height, width], channels last in memory."""
        batch, channels, height, width = inputs.shape
        rows, columns = -(-height // _OUT), -(-width // _OUT)
        image = inputs.permute(0, 2, 3, 1)
        padded = F.pad(image, (0, 0, 1, _OUT * columns + 1 - width, 1, _OUT * rows + 1 - height))
        tiles = padded.unfold(1, _IN, _OUT).unfold(2, _IN, _OUT).permute(4, 5, 0, 1, 2, 3).reshape(_IN * _IN, -1)
        products = torch.bmm(torch.mm(self._of_input, tiles).view(_IN * _IN, -1, channels), self._kernels)
        drawn = torch.mm(self._of_output, products.view(_IN * _IN, -1)).view(_OUT, _OUT, batch, rows, columns, channels)
        whole = drawn.permute(2, 3, 0, 4, 1, 5).reshape(batch, _OUT * rows, _OUT * columns, channels)
        outputs = whole[:, :height, :width].add_(self._bias)
        if self._residual:
            outputs += image
        return outputs.relu_().permute(0, 3, 1, 2)


def _both_ways(transform: tuple[tuple[float, ...], ...]) -> torch.Tensor:
    """Return a transform of columns and then rows as one matrix."""
    matrix = torch.tensor(transform, dtype=torch.float32)
    return torch.kron(matrix, matrix)
