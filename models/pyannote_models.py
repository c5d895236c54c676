"""pyannote.audio's networks from their published checkpoints; nothing is unpickled but tensors and plain data.

pyannote's own loaders unpickle whatever a checkpoint holds, and import the class that it names. Importing this module
turns off pyannote's telemetry, which is on by default.
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from pyannote.audio import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import (
    WeSpeakerResNet34,
    WeSpeakerResNet152,
    WeSpeakerResNet221,
    WeSpeakerResNet293,
)
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.telemetry import set_telemetry_metrics
from torch.torch_version import TorchVersion

set_telemetry_metrics(False)

SEGMENTATION: Mapping[str, type[Model]] = {"PyanNet": PyanNet}
"""Networks that tell speakers apart within some seconds, by the name that a checkpoint gives."""

EMBEDDING: Mapping[str, type[Model]] = {
    "WeSpeakerResNet34": WeSpeakerResNet34,
    "WeSpeakerResNet152": WeSpeakerResNet152,
    "WeSpeakerResNet221": WeSpeakerResNet221,
    "WeSpeakerResNet293": WeSpeakerResNet293,
}
"""Networks that embed voices, likewise."""

# What a checkpoint holds beside tensors: the description of its task, and the version of PyTorch that wrote it.
_PLAIN: list[Any] = [Problem, Resolution, Specifications, TorchVersion]

# WeSpeaker's depths, by the blocks of each of the four layers.
_DEPTHS = {
    (3, 4, 6, 3): WeSpeakerResNet34,
    (3, 8, 36, 3): WeSpeakerResNet152,
    (6, 16, 48, 3): WeSpeakerResNet221,
    (10, 20, 64, 3): WeSpeakerResNet293,
}
_HEAD = "projection."
"""Of the classifier that WeSpeaker trains with."""


def pyannote_model(file: Path, kinds: Mapping[str, type[Model]]) -> Any:
    """Read one of pyannote's checkpoints (``pytorch_model.bin``).

    Args:
        file: The checkpoint.
        kinds: The networks that it may be, by name.

    Returns:
        The network (``pyannote.audio.Model``, half typed), on the CPU, in evaluation mode.

    Raises:
        ValueError: It is damaged, holds other pickled objects, or is no such network.
    """
    content = _read(file)
    described = content.get("pyannote.audio")
    if not isinstance(described, dict) or not isinstance(content.get("state_dict"), dict):
        raise ValueError(f"{file} is no checkpoint of pyannote.audio")
    try:
        name, specifications = described["architecture"]["class"], described["specifications"]
        if name not in kinds:
            raise ValueError(f"{file} holds the network {name!r}, which must be one of {', '.join(kinds)}")
        model: Any = kinds[name](**_arguments(kinds[name], content.get("hyper_parameters", {})))
        model.specifications = specifications
        model.setup()
        # As in pyannote's own loader, what only training needs (a loss function's weights) is left out.
        missing = model.load_state_dict(content["state_dict"], strict=False).missing_keys
    except (AttributeError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{file} does not hold the network that it describes: {error}") from error
    if missing:
        raise ValueError(f"{file} lacks {', '.join(missing[:3])} and so is not the network that it describes")
    return model.eval()


def embedding_model(file: Path) -> Any:
    """Read an encoder of voices: one of pyannote's checkpoints, or WeSpeaker's own ``avg_model.pt``.

    Returns:
        The network (``pyannote.audio.Model``), on the CPU, in evaluation mode.

    Raises:
        ValueError: It is damaged, holds other pickled objects, or is no ResNet of WeSpeaker.
    """
    content = _read(file)
    if "pyannote.audio" in content:
        return pyannote_model(file, EMBEDDING)
    state = {name: tensor for name, tensor in content.items() if not name.startswith(_HEAD)}
    if not all(isinstance(tensor, torch.Tensor) for tensor in state.values()) or "seg_1.weight" not in state:
        raise ValueError(f"{file} is neither a checkpoint of pyannote.audio nor a ResNet of WeSpeaker")
    layers = (f"layer{number}." for number in range(1, 5))
    depth = tuple(len({name.split(".")[1] for name in state if name.startswith(layer)}) for layer in layers)
    if depth not in _DEPTHS:
        known = ", ".join(map(str, _DEPTHS))
        raise ValueError(f"{file} holds a network of {depth} blocks, and WeSpeaker's ResNets have {known}")
    kind: Any = _DEPTHS[depth]
    # Pooled are a mean and a deviation of each channel in each of the mel bands, eight of which have become one.
    published = kind()
    per_band = published.resnet.seg_1.in_features // (published.hparams.num_mel_bins // 8)
    try:
        model = kind(num_mel_bins=8 * (state["seg_1.weight"].shape[-1] // per_band))
        model.resnet.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{file} does not hold a ResNet of WeSpeaker: {error}") from error
    return model.eval()


def _read(file: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals(_PLAIN):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{file} is damaged or holds more than tensors and plain data") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ValueError(f"{file} is no checkpoint")
    return content


def _arguments(kind: type[Model], hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters of the network's constructor; pyannote's checkpoints hold more."""
    known = inspect.signature(kind).parameters
    return {name: value for name, value in hyper_parameters.items() if name in known}
