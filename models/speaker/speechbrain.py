"""SpeechBrain's pretrained speaker encoders, from their checkpoints and without SpeechBrain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from numpy.typing import NDArray

from models.speaker.batches import embedded
from models.speaker.ecapa_network import EcapaNetwork
from models.speaker.settings import CHECKPOINT, SPEECHBRAIN, EcapaSettings, XvectorSettings
from models.speaker.speechbrain_features import MelSpectrum
from models.speaker.xvector_network import XvectorNetwork
from models.torch_device import device_of
from models.weights import resolve

BATCH = 16
"""Windows of one length per run of the network."""


class SpeechBrainEncoder:
    """Embeds speech with an x-vector or ECAPA-TDNN network that SpeechBrain trained on VoxCeleb.

    Windows of one length run together, so that nothing is padded and nothing has to be masked. Safe to call from
    several threads at once.

    Args:
        settings: The checkpoint and the device; their kind names the network.

    Raises:
        MissingWeights: The checkpoint is not on this machine.
        ValueError: It is no checkpoint of that network, or there is no such device.
    """

    def __init__(self, settings: XvectorSettings | EcapaSettings) -> None:
        self._name = settings.engine
        self._device = device_of(settings.device)
        file = resolve(settings.model, SPEECHBRAIN, allow_download=settings.allow_download) / CHECKPOINT
        kind = XvectorNetwork if isinstance(settings, XvectorSettings) else EcapaNetwork
        try:
            self._network = kind.of(_state(file)).to(self._device)
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{file} does not hold the {settings.engine} network: {error}") from error
        self._spectrum = MelSpectrum(self._network.mels).to(self._device)

    @property
    def name(self) -> str:
        """Name of its embedding space."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._network.dimension

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech; see ``models.speaker.types.SpeakerEncoder``."""
        return embedded(windows, self.dimension, BATCH, self._run)

    def _run(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            embedded = self._network(self._spectrum(torch.from_numpy(pcm).to(self._device)))
        result: NDArray[np.float32] = embedded.cpu().numpy()
        return result


def _state(file: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{file} is damaged or holds more than tensors") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{file} holds no state dict")
    return dict(state)
