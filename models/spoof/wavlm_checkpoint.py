"""Files with the weights of ``WavLmNetwork``: PyTorch's or SafeTensors, checked before they are used."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from transformers import WavLMConfig

from models.errors import MissingWeights
from models.spoof.calibration import Calibration
from models.spoof.wavlm_network import WavLmNetwork, describe

# Present only where a configuration masks frames in training; never used in scoring.
_OPTIONAL = "wavlm.masked_spec_embed"
# Weight normalisation's names before and after PyTorch's parametrizations.
_RENAMED = {".conv.weight_g": ".conv.parametrizations.weight.original0"}
_RENAMED[".conv.weight_v"] = ".conv.parametrizations.weight.original1"
_LISTED = 4


def load_checkpoint(file: Path, config: WavLMConfig) -> tuple[WavLmNetwork, Calibration]:
    """Load a network in evaluation mode on the CPU, with its calibration where the file has one.

    Args:
        file: A state dict saved by ``torch.save``, bare or under ``model_state_dict`` with ``calibration`` beside it,
            or a ``.safetensors`` file. Nothing in it is executed.
        config: The backbone's configuration.

    Raises:
        MissingWeights: There is no such file.
        ValueError: The file is not a state dict, or not that of this network.
    """
    if not file.is_file():
        raise MissingWeights(
            f"there is no checkpoint {file}; train one with: python -m training.spoof.train --engine wavlm "
            "--real DIR --fake DIR --backbone DIR --out DIR, or copy RealTone's chk3.pth there"
        )
    state, calibration = _read_safetensors(file) if file.suffix == ".safetensors" else _read_torch(file)
    with torch.device("meta"):
        network = WavLmNetwork(config)
    state = {_current_name(name): tensor for name, tensor in state.items()}
    expected = network.state_dict()
    if _OPTIONAL in expected:
        state.setdefault(_OPTIONAL, torch.zeros(expected[_OPTIONAL].shape))
    else:
        state.pop(_OPTIONAL, None)
    _check_keys(file, state, expected, config)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, assign=True)
    return network.eval(), calibration


def save_checkpoint(file: Path, network: WavLmNetwork, calibration: Calibration) -> None:
    """Write what ``load_checkpoint`` reads."""
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    values = {"scale": calibration.scale, "bias": calibration.bias}
    torch.save({"model_state_dict": state, "calibration": values}, file)


def _read_torch(file: Path) -> tuple[dict[str, torch.Tensor], Calibration]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f"{file} is damaged or holds more than tensors and plain values; where it was written, save it again with "
            "torch.save({'model_state_dict': model.state_dict()}, file)"
        ) from error
    wrapped = isinstance(content, Mapping) and "model_state_dict" in content
    state = content["model_state_dict"] if wrapped else content
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{file} holds no state dict, neither bare nor under 'model_state_dict'")
    return dict(state), _calibration(file, content.get("calibration") if wrapped else None)


def _read_safetensors(file: Path) -> tuple[dict[str, torch.Tensor], Calibration]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}
            metadata = opened.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{file} is not a SafeTensors file: {error}") from error
    try:
        values = json.loads(metadata["calibration"]) if "calibration" in metadata else None
    except json.JSONDecodeError as error:
        raise ValueError(f"the metadata 'calibration' of {file} is not JSON") from error
    return state, _calibration(file, values)


def _calibration(file: Path, values: Any) -> Calibration:
    if values is None:
        return Calibration()
    try:
        calibration = Calibration(scale=float(values["scale"]), bias=float(values["bias"]))
    except (KeyError, TypeError, ValueError):
        calibration = Calibration(scale=math.nan)
    if not (math.isfinite(calibration.scale) and calibration.scale > 0 and math.isfinite(calibration.bias)):
        raise ValueError(f"the calibration in {file} must be {{'scale': a number above 0, 'bias': a number}}")
    return calibration


def _current_name(name: str) -> str:
    for old, new in _RENAMED.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _check_keys(
    file: Path, state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], config: WavLMConfig
) -> None:
    shapes = [
        f"{name} is {list(state[name].shape)} instead of {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    faults = {
        "missing": [name for name in expected if name not in state],
        "unexpected": [name for name in state if name not in expected],
        "of another shape": shapes,
    }
    if any(faults.values()):
        found = "; ".join(f"{kind}: {_some(names)}" for kind, names in faults.items() if names)
        raise ValueError(
            f"{file} does not fit {describe(config)} with RealTone's head: {found}. "
            "If it was trained on another backbone, name the folder with that one's config.json in `backbone`"
        )


def _some(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
