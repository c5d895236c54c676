"""The compact detector's network in PyTorch, for training; at run time ONNX Runtime takes its place.

A residual CNN with squeeze and excitation (Hu et al. 2018) over time and frequency and attentive statistics pooling
(Okabe et al. 2018) over time. Frequencies are told apart: each has its own bias in front, and its own weights behind.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.spoof.calibration import Calibration
from models.spoof.checkpoint import INPUT, OUTPUT, metadata, parse, read
from models.spoof.features import BANDS, FRAMES, VIEWS, WIDTH

STEM = 16
"""Channels of the first convolution."""

STAGES = ((32, 2), (64, 2))
"""Channels and residual blocks; each stage halves time and frequency once more."""

EMBEDDING = 96
OPSET = 18


class CompactNetwork(nn.Module):
    """Features [B, frames, 240] to logits [B]; above 0 is spoof."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(VIEWS, STEM, 5, stride=2, padding=2, bias=False)
        self.frequency = nn.Parameter(torch.zeros(1, STEM, 1, BANDS // 2))
        self.stem_norm = nn.BatchNorm2d(STEM)
        blocks: list[nn.Module] = []
        inputs = STEM
        for channels, count in STAGES:
            blocks += [ResidualBlock(inputs, channels, stride=2)]
            blocks += [ResidualBlock(channels, channels, stride=1) for _ in range(count - 1)]
            inputs = channels
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Conv1d(inputs * (BANDS // 8), EMBEDDING, 1, bias=False)
        self.project_norm = nn.BatchNorm1d(EMBEDDING)
        self.attention = nn.Sequential(nn.Conv1d(EMBEDDING, 32, 1), nn.Tanh(), nn.Conv1d(32, EMBEDDING, 1))
        self.pooled_norm = nn.BatchNorm1d(2 * EMBEDDING)
        self.dropout = nn.Dropout(0.3)
        self.embed = nn.Linear(2 * EMBEDDING, 64)
        self.classify = nn.Linear(64, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Score features of shape [B, frames, 240], of a chunk or a part of one."""
        views = features.reshape(features.shape[0], features.shape[1], VIEWS, BANDS)
        x = self.stem(views.transpose(1, 2)) + self.frequency
        x = self.blocks(torch.relu(self.stem_norm(x)))
        x = x.permute(0, 1, 3, 2).flatten(1, 2)
        x = torch.relu(self.project_norm(self.project(x)))
        weights = torch.softmax(self.attention(x), dim=2)
        mean = (weights * x).sum(dim=2)
        deviation = torch.sqrt(((weights * x * x).sum(dim=2) - mean * mean).clamp(min=1e-4))
        pooled = self.pooled_norm(torch.cat((mean, deviation), dim=1))
        logits: Tensor = self.classify(torch.relu(self.embed(self.dropout(pooled))))
        return logits.squeeze(1)


class ResidualBlock(nn.Module):
    """Two convolutions and squeeze and excitation around a shortcut."""

    def __init__(self, inputs: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            convolution = nn.Conv2d(inputs, channels, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Shape [B, C, frames, bands], halved twice where the stride is 2."""
        y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        gates = torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean(dim=(2, 3))))))
        return torch.relu(y * gates[:, :, None, None] + self.shortcut(x))


def logits_of(network: nn.Module, features: NDArray[np.float32], *, batch: int = 64) -> NDArray[np.float32]:
    """Raw logits of features [N, 398, 240], the network in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        parts = [network(torch.from_numpy(features[i : i + batch])).numpy() for i in range(0, len(features), batch)]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def export(network: CompactNetwork, calibration: Calibration, path: Path, *, name: str) -> None:
    """Write a checkpoint: what ``CompactDetector`` runs and what ``load_network`` trains on from.

    Args:
        network: Left in evaluation mode.
        calibration: Of its logits.
        path: An ``.onnx`` file, written in one piece.
        name: What the model is called, for people.
    """
    network.eval()
    program = torch.onnx.export(
        network,
        (torch.zeros(2, FRAMES, WIDTH),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        opset_version=OPSET,
        dynamo=True,
        # The optimiser would fold batch normalisation away, and with it what training starts from.
        optimize=False,
        verbose=False,
    )
    assert program is not None
    model: Any = program.model_proto
    for node in model.graph.node:
        # The exporter's notes name files of the machine that it ran on.
        del node.metadata_props[:]
    for key, value in metadata(calibration, name).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(model.SerializeToString())
    partial.replace(path)


def load_network(path: Path) -> CompactNetwork:
    """Load a checkpoint's weights to train on from.

    Raises:
        MissingWeights: There is no such file.
        ValueError: It isn't a checkpoint of this detector.
    """
    import onnx
    from onnx import numpy_helper

    content = read(path)
    try:
        model = onnx.load_from_string(content)
    except Exception as error:  # protobuf's own, which has no types
        raise ValueError(f"{path} isn't an ONNX file: {error}") from error
    parse({entry.key: entry.value for entry in model.metadata_props}, path)
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    network = CompactNetwork()
    state = network.state_dict()
    missing = [name for name in state if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"{path} isn't a checkpoint to train on from: it has no {missing[0]}")
    weights = {name: torch.from_numpy(tensors[name].copy()) for name in state if name in tensors}
    network.load_state_dict(weights, strict=False)
    return network
