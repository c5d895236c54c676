"""Files with the weights of ``Wav2LipNetwork``, checked before they are used."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch

from models.lipsync.torchscript_weights import is_torchscript, read_torchscript
from models.lipsync.wav2lip_network import Wav2LipNetwork

_SOME_KEY = "face_encoder_blocks.0.0.conv_block.0.weight"
_LISTED = 4


def load_network(file: Path) -> Wav2LipNetwork:
    """Load the generator in evaluation mode on the CPU.

    Args:
        file: As the Wav2Lip project publishes it: a dictionary with a ``state_dict``, or TorchScript. The names of its
            tensors may have a prefix, such as ``module.``. Nothing in it is executed.

    Raises:
        ValueError: The file is damaged, or is not that of this network.
    """
    state = read_torchscript(file) if is_torchscript(file) else _read_state(file)
    state = _without_prefix(file, state)
    with torch.device("meta"):
        network = Wav2LipNetwork()
    _check(file, state, network.state_dict())
    network.load_state_dict(
        {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}, assign=True
    )
    return network.eval().requires_grad_(False)


def _read_state(file: Path) -> Mapping[str, torch.Tensor]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{file} is damaged, or holds more than tensors and plain values: {error}") from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{file} holds no state dict, neither bare nor under 'state_dict'")
    return state


def _without_prefix(file: Path, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = next((name.removesuffix(_SOME_KEY) for name in state if name.endswith(_SOME_KEY)), None)
    if prefix is None:
        raise ValueError(f"{file} is not a checkpoint of Wav2Lip's generator: it has no {_SOME_KEY}")
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _check(file: Path, state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    faults = {
        "missing": [name for name in expected if name not in state],
        "unexpected": [name for name in state if name not in expected],
        "of another shape": [
            f"{name} is {list(state[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ],
    }
    if any(faults.values()):
        found = "; ".join(f"{kind}: {_some(names)}" for kind, names in faults.items() if names)
        raise ValueError(f"{file} is not a checkpoint of Wav2Lip for faces of 96 pixels: {found}")


def _some(names: list[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
