"""The compact speaker encoder in PyTorch, for training only.

A convolutional front looks for local patterns in time and frequency, dilated convolutions over time follow, and
attentive statistics pooling (Okabe et al., 2018) sums a window up; in all a small relative of ECAPA CNN-TDNN
(Thienpondt et al., 2021).
"""

import torch
from torch import Tensor, nn

from models.speaker.filterbank import MELS

DYNAMIC_RANGE = 12.0
"""Natural logarithm of power (52 dB): what is further below a window's peak is taken for silence."""

DIMENSION = 192


class SpeakerNetwork(nn.Module):
    """Maps log-mel spectra to embeddings.

    Args:
        front: Channels of the convolutional front's two stages.
        width: Channels of the convolutions over time.
    """

    def __init__(self, front: tuple[int, int, int] = (16, 32, 48), width: int = 192) -> None:
        super().__init__()
        first, second, third = front
        self.front = nn.Sequential(
            _conv2d(1, first, stride=(2, 2)),
            _conv2d(first, second, stride=(2, 1)),
            _Residual(second),
            _conv2d(second, third, stride=(2, 1)),
        )
        self.narrow = _conv1d(third * MELS // 8, width, kernel=1)
        self.blocks = nn.ModuleList(_TimeBlock(width, dilation) for dilation in (1, 2, 3))
        self.join = _conv1d(width * 3, pooled := width * 3 // 2, kernel=1)
        self.attention = nn.Sequential(nn.Conv1d(pooled, 96, 1), nn.Tanh(), nn.Conv1d(96, pooled, 1))
        self.normalise = nn.BatchNorm1d(2 * pooled)
        self.embed = nn.Linear(2 * pooled, DIMENSION)
        self.centre = nn.BatchNorm1d(DIMENSION, affine=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """Embed windows of one length.

        Args:
            spectra: Log-mel spectra as of ``models.speaker.filterbank``, shape [B, frames, MELS].

        Returns:
            Shape [B, DIMENSION], not normalised.
        """
        peak = spectra.amax(dim=(1, 2), keepdim=True)
        level = torch.maximum(spectra, peak - DYNAMIC_RANGE)
        level = level - level.mean(dim=(1, 2), keepdim=True)
        local: Tensor = self.front(level.transpose(1, 2).unsqueeze(1) * 0.4)
        over_time = self.narrow(local.flatten(1, 2))
        outputs = []
        for block in self.blocks:
            over_time = block(over_time)
            outputs.append(over_time)
        joined = self.join(torch.cat(outputs, dim=1))
        weights = torch.softmax(self.attention(joined), dim=2)
        mean = (weights * joined).sum(dim=2)
        spread = ((weights * joined.square()).sum(dim=2) - mean.square()).clamp(min=1e-4).sqrt()
        embedding: Tensor = self.centre(self.embed(self.normalise(torch.cat((mean, spread), dim=1))))
        return embedding


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv2d(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class _TimeBlock(nn.Module):
    """A dilated convolution over time behind a shortcut, its channels weighted by the window as a whole (SE)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.convolution = _conv1d(channels, channels, kernel=3, dilation=dilation)
        self.excite = nn.Sequential(nn.Linear(channels, 64), nn.ReLU(), nn.Linear(64, channels), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.convolution(x)
        weights: Tensor = self.excite(made.mean(dim=2))
        return x + made * weights.unsqueeze(2)


def _conv2d(before: int, after: int, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def _conv1d(before: int, after: int, *, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv1d(before, after, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm1d(after),
        nn.ReLU(),
    )
