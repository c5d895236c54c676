"""WeSpeaker's ResNets (Wang et al., 2023), through pyannote.audio's class for them."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import torch
from numpy.typing import NDArray

from models.pyannote_models import embedding_model
from models.speaker.batches import embedded
from models.speaker.settings import WESPEAKER, WespeakerSettings
from models.torch_device import device_of
from models.weights import resolve

BATCH = 16
"""Windows of one length per run of the network."""


class WespeakerEncoder:
    """Embeds speech with a ResNet that WeSpeaker trained on VoxCeleb. Safe to call from several threads at once.

    Args:
        settings: The checkpoint and the device.

    Raises:
        MissingWeights: The checkpoint is not on this machine.
        ValueError: It is no such network, or there is no such device.
    """

    def __init__(self, settings: WespeakerSettings) -> None:
        self._device = device_of(settings.device)
        folder = resolve(settings.model, WESPEAKER, allow_download=settings.allow_download)
        file = next(path for name in WESPEAKER.files[0].split("|") if (path := folder / name).is_file())
        network = embedding_model(file)
        self._dimension: int = network.dimension
        # Each training has a space of its own, whatever the file around the tensors.
        last = network.resnet.seg_1.weight.detach().numpy()
        self._name = f"wespeaker-{sha256(last.tobytes()).hexdigest()[:16]}"
        self._network = network.to(self._device)

    @property
    def name(self) -> str:
        """Name of its embedding space."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length D of an embedding."""
        return self._dimension

    def embed(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Embed stretches of speech; see ``models.speaker.types.SpeakerEncoder``."""
        return embedded(windows, self._dimension, BATCH, self._run)

    def _run(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            vectors = self._network(torch.from_numpy(pcm)[:, None].to(self._device))
        result: NDArray[np.float32] = vectors.cpu().numpy()
        return result
