"""CAM++ of 3D-Speaker on ONNX Runtime, from its PyTorch checkpoint and without PyTorch."""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from models.networks.campplus import INPUT, campplus
from models.onnx_session import open_session
from models.speaker.batches import embedded
from models.speaker.kaldi_filterbank import kaldi_fbank
from models.speaker.settings import CAMPPLUS, CampplusSettings
from models.torch_checkpoint import read_checkpoint
from models.weights import resolve

BATCH = 8
"""Windows of one length per run of the network: more are no faster on a CPU, and take memory."""


class CampplusEncoder:
    """Embeds speech with the CAM++ network (Wang et al., 2023). Safe to call from several threads at once.

    Args:
        settings: The checkpoint, the device and the threads.

    Raises:
        MissingWeights: The checkpoint is not on this machine.
        ValueError: It is no such network, or there is no GPU though one is asked for.
    """

    def __init__(self, settings: CampplusSettings) -> None:
        folder = resolve(settings.model, CAMPPLUS, allow_download=settings.allow_download)
        file = folder / CAMPPLUS.files[0]
        state = read_checkpoint(file)
        try:
            network = campplus(state)
        except (AttributeError, KeyError, ValueError) as error:
            raise ValueError(f"{file} does not hold the network CAM++: {error}") from error
        # Windows differ in length: the arena would keep the largest batch for ever.
        self._session = open_session(network, device=settings.device, threads=settings.threads, cpu_arena=False)
        self._dimension = int(self._session.get_outputs()[0].shape[1])
        # Each training has a space of its own, whatever the file around the numbers.
        self._name = f"campplus-{sha256(state['xvector.dense.linear.weight'].tobytes()).hexdigest()[:16]}"

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
        spectra = np.stack([kaldi_fbank(window) for window in pcm])
        vectors: NDArray[np.float32] = self._session.run(None, {INPUT: spectra})[0]
        return vectors
