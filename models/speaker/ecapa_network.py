"""The ECAPA-TDNN (Desplanques et al., 2020) in the form of SpeechBrain's ``ECAPA_TDNN``."""

import re
from collections.abc import Mapping
from typing import Self

import torch
from torch import nn

DILATIONS = (2, 3, 4)
VARIANCE_FLOOR = 1e-12

# SpeechBrain wraps PyTorch's layers once more.
_WRAPPED = re.compile(r"(^|\.)(conv\d?\.conv|norm\.norm|asp_bn\.norm|fc\.conv)\.(?=\w+$)")


class EcapaNetwork(nn.Module):
    """Maps spectra, float32[windows, mels, frames], to embeddings, float32[windows, D], whatever their length.

    Args:
        mels: Bands of the spectra.
        channels: Of each block.
        scale: Groups of a Res2Net's channels.
        squeezed: Channels in the middle of a squeeze-and-excitation.
        attention: Channels of the pooling's attention.
        aggregated: Channels that are pooled.
        dimension: D.
    """

    def __init__(
        self, mels: int, channels: int, scale: int, squeezed: int, attention: int, aggregated: int, dimension: int
    ) -> None:
        super().__init__()
        self.mels = mels
        self.dimension = dimension
        blocks: list[nn.Module] = [_TimeDelay(mels, channels, 5)]
        blocks += [_Block(channels, scale, squeezed, dilation) for dilation in DILATIONS]
        self.blocks = nn.ModuleList(blocks)
        self.mfa = _TimeDelay(len(DILATIONS) * channels, aggregated)
        self.asp = _AttentivePooling(aggregated, attention)
        self.asp_bn = nn.BatchNorm1d(2 * aggregated)
        self.fc = nn.Conv1d(2 * aggregated, dimension, 1)

    @classmethod
    def of(cls, state: Mapping[str, torch.Tensor]) -> Self:
        """Make the network that SpeechBrain saved.

        Raises:
            KeyError: A tensor is missing.
            RuntimeError: The tensors are those of another network.
        """
        named = {_WRAPPED.sub(lambda match: match[1] + match[2].split(".")[0] + ".", k): t for k, t in state.items()}
        groups = [name for name in named if re.fullmatch(r"blocks\.1\.res2net_block\.blocks\.\d+\.conv\.weight", name)]
        network = cls(
            mels=named["blocks.0.conv.weight"].shape[1],
            channels=named["blocks.0.conv.weight"].shape[0],
            scale=len(groups) + 1,
            squeezed=named["blocks.1.se_block.conv1.weight"].shape[0],
            attention=named["asp.conv.weight"].shape[1],
            aggregated=named["mfa.conv.weight"].shape[0],
            dimension=named["fc.weight"].shape[0],
        )
        network.load_state_dict(named)
        return network.eval()

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        """See the class."""
        outputs = [self.blocks[0](spectra)]
        for block in self.blocks[1:]:
            outputs.append(block(outputs[-1]))
        pooled = self.asp_bn(self.asp(self.mfa(torch.cat(outputs[1:], dim=1))))
        embeddings: torch.Tensor = self.fc(pooled[:, :, None])[:, :, 0]
        return embeddings


class _TimeDelay(nn.Module):
    def __init__(self, inputs: int, channels: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel - 1) // 2
        self.conv = nn.Conv1d(inputs, channels, kernel, dilation=dilation, padding=padding, padding_mode="reflect")
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        normed: torch.Tensor = self.norm(torch.relu(self.conv(frames)))
        return normed


class _Res2Net(nn.Module):
    """Each group of channels but the first passes a layer, with what came out of the group before added."""

    def __init__(self, channels: int, scale: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.blocks = nn.ModuleList(_TimeDelay(width, width, 3, dilation) for _ in range(scale - 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        first, *groups = frames.chunk(len(self.blocks) + 1, dim=1)
        outputs = [first]
        for number, (group, layer) in enumerate(zip(groups, self.blocks, strict=True)):
            outputs.append(layer(group + outputs[-1] if number else group))
        return torch.cat(outputs, dim=1)


class _SqueezeExcitation(nn.Module):
    """Weighs each channel by what all of them do on average over the window."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, squeezed, 1)
        self.conv2 = nn.Conv1d(squeezed, channels, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        weights = torch.sigmoid(self.conv2(torch.relu(self.conv1(frames.mean(dim=2, keepdim=True)))))
        return weights * frames


class _Block(nn.Module):
    def __init__(self, channels: int, scale: int, squeezed: int, dilation: int) -> None:
        super().__init__()
        self.tdnn1 = _TimeDelay(channels, channels)
        self.res2net_block = _Res2Net(channels, scale, dilation)
        self.tdnn2 = _TimeDelay(channels, channels)
        self.se_block = _SqueezeExcitation(channels, squeezed)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = self.se_block(self.tdnn2(self.res2net_block(self.tdnn1(frames))))
        return changed + frames


class _AttentivePooling(nn.Module):
    """Mean and deviation of each channel over the frames that its attention picks."""

    def __init__(self, channels: int, attention: int) -> None:
        super().__init__()
        self.tdnn = _TimeDelay(3 * channels, attention)
        self.conv = nn.Conv1d(attention, channels, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        even = torch.full_like(frames, 1 / frames.shape[2])
        context = [statistic[:, :, None].expand_as(frames) for statistic in _statistics(frames, even)]
        attention = torch.softmax(self.conv(torch.tanh(self.tdnn(torch.cat((frames, *context), dim=1)))), dim=2)
        return torch.cat(_statistics(frames, attention), dim=1)


def _statistics(frames: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = (weights * frames).sum(dim=2)
    variance = (weights * (frames - mean[:, :, None]).square()).sum(dim=2)
    return mean, variance.clamp(min=VARIANCE_FLOOR).sqrt()
