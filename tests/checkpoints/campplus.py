"""CAM++ with random weights, narrow and in the published layout, and its forward pass in PyTorch."""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LAYERS = (2, 3, 2)
GROWTH = 4
BOTTLENECK = 8
CHANNELS = 8
HEAD = 4
MELS = 80
DIMENSION = 6

State = dict[str, Tensor]


def build_campplus(folder: Path) -> Path:
    """Write the checkpoint, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(campplus_state(), folder / "campplus_cn_en_common.pt")
    return folder


def campplus_state(seed: int = 5) -> State:
    """Return weights by name; a seed makes the same ones."""
    torch.manual_seed(seed)
    state: State = {}

    def weight(name: str, *shape: int) -> None:
        state[f"{name}.weight"] = torch.randn(shape) * math.prod(shape[1:]) ** -0.5

    def norm(name: str, width: int, *, affine: bool = True) -> None:
        if affine:
            state[f"{name}.weight"], state[f"{name}.bias"] = 0.5 + torch.rand(width), 0.2 * torch.randn(width)
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = 0.2 * torch.randn(width), 0.5 + torch.rand(width)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    weight("head.conv1", HEAD, 1, 3, 3)
    norm("head.bn1", HEAD)
    for layer in ("layer1", "layer2"):
        for block in ("0", "1"):
            for number in ("1", "2"):
                weight(f"head.{layer}.{block}.conv{number}", HEAD, HEAD, 3, 3)
                norm(f"head.{layer}.{block}.bn{number}", HEAD)
        weight(f"head.{layer}.0.shortcut.0", HEAD, HEAD, 1, 1)
        norm(f"head.{layer}.0.shortcut.1", HEAD)
    weight("head.conv2", HEAD, HEAD, 3, 3)
    norm("head.bn2", HEAD)
    weight("xvector.tdnn.linear", CHANNELS, HEAD * MELS // 8, 5)
    norm("xvector.tdnn.nonlinear.batchnorm", CHANNELS)
    width = CHANNELS
    for number, layers in enumerate(LAYERS, 1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            norm(f"{name}.nonlinear1.batchnorm", width)
            weight(f"{name}.linear1", BOTTLENECK, width, 1)
            norm(f"{name}.nonlinear2.batchnorm", BOTTLENECK)
            weight(f"{name}.cam_layer.linear_local", GROWTH, BOTTLENECK, 3)
            for linear, shape in (
                ("linear1", (BOTTLENECK // 2, BOTTLENECK, 1)),
                ("linear2", (GROWTH, BOTTLENECK // 2, 1)),
            ):
                weight(f"{name}.cam_layer.{linear}", *shape)
                state[f"{name}.cam_layer.{linear}.bias"] = 0.2 * torch.randn(shape[0])
            width += GROWTH
        norm(f"xvector.transit{number}.nonlinear.batchnorm", width)
        weight(f"xvector.transit{number}.linear", width // 2, width, 1)
        width //= 2
    norm("xvector.out_nonlinear.batchnorm", width)
    weight("xvector.dense.linear", DIMENSION, 2 * width, 1)
    norm("xvector.dense.nonlinear.batchnorm", DIMENSION, affine=False)
    return state


def campplus_forward(state: State, spectra: Tensor) -> Tensor:
    """Return the embeddings of spectra, [windows, frames, mels], as 3D-Speaker's network computes them."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, state.get(f"{name}.weight"), state.get(f"{name}.bias"))

    def conv(x: Tensor, name: str, **arguments: Any) -> Tensor:
        function = F.conv2d if state[f"{name}.weight"].ndim == 4 else F.conv1d
        return function(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **arguments)

    x = F.relu(norm(conv(spectra.transpose(1, 2)[:, None], "head.conv1", padding=1), "head.bn1"))
    for layer in ("layer1", "layer2"):
        for block, stride in (("0", (2, 1)), ("1", (1, 1))):
            name = f"head.{layer}.{block}"
            y = F.relu(norm(conv(x, f"{name}.conv1", stride=stride, padding=1), f"{name}.bn1"))
            y = norm(conv(y, f"{name}.conv2", padding=1), f"{name}.bn2")
            if block == "0":
                x = norm(conv(x, f"{name}.shortcut.0", stride=stride), f"{name}.shortcut.1")
            x = F.relu(x + y)
    x = F.relu(norm(conv(x, "head.conv2", stride=(2, 1), padding=1), "head.bn2")).flatten(1, 2)
    x = F.relu(norm(conv(x, "xvector.tdnn.linear", stride=2, padding=2), "xvector.tdnn.nonlinear.batchnorm"))
    for number, (layers, dilation) in enumerate(zip(LAYERS, (1, 2, 2), strict=True), 1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            y = conv(F.relu(norm(x, f"{name}.nonlinear1.batchnorm")), f"{name}.linear1")
            y = F.relu(norm(y, f"{name}.nonlinear2.batchnorm"))
            segments = F.avg_pool1d(y, 100, 100, ceil_mode=True).repeat_interleave(100, dim=-1)[..., : y.shape[-1]]
            context = F.relu(conv(y.mean(-1, keepdim=True) + segments, f"{name}.cam_layer.linear1"))
            mask = torch.sigmoid(conv(context, f"{name}.cam_layer.linear2"))
            local = conv(y, f"{name}.cam_layer.linear_local", padding=dilation, dilation=dilation)
            x = torch.cat((x, local * mask), dim=1)
        name = f"xvector.transit{number}"
        x = conv(F.relu(norm(x, f"{name}.nonlinear.batchnorm")), f"{name}.linear")
    x = F.relu(norm(x, "xvector.out_nonlinear.batchnorm"))
    pooled = torch.cat((x.mean(-1), x.std(-1)), dim=1)[..., None]
    return norm(conv(pooled, "xvector.dense.linear"), "xvector.dense.nonlinear.batchnorm")[..., 0]
