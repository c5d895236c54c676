"""The detector of RealTone: WavLM with its pooling head."""

import numpy as np
import torch
from numpy.typing import NDArray

from models.spoof.inputs import check_chunks
from models.spoof.settings import BACKBONE, WAVLM, WavLmSettings
from models.spoof.wavlm_checkpoint import load_checkpoint
from models.spoof.wavlm_network import backbone_config
from models.torch_device import device_of, dtype_of
from models.weights import resolve


class WavLmDetector:
    """Scores chunks by WavLM with a linear layer over 128 pooled frames. Safe to call from several threads at once.

    The backbone computes in the settings' precision, the head in float32. A chunk shorter than 4 s is heard with zeros
    behind it, as in training; chunks of a batch don't touch each other.

    Raises:
        MissingWeights: The checkpoint, or the backbone's config.json, is not on this machine.
        ValueError: The checkpoint does not fit the backbone, or there is no such device.
    """

    def __init__(self, settings: WavLmSettings) -> None:
        self._device = device_of(settings.device)
        self._dtype = dtype_of(settings.precision, self._device)
        allowed = settings.allow_download
        backbone = resolve(settings.backbone, BACKBONE, allow_download=allowed) if settings.backbone else None
        checkpoint = resolve(settings.checkpoint, WAVLM, allow_download=allowed)
        network, self._calibration = load_checkpoint(checkpoint, backbone_config(backbone))
        self._network = network.to(self._device)
        torch.nn.Module.to(self._network.wavlm, self._dtype)

    def score(self, chunks: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float32]:
        """Score chunks of speech; see `models.spoof.types.SpoofDetector`.

        Raises:
            ValueError: The arrays are not of the right shape or type.
            FloatingPointError: The backbone left the range of its precision.
        """
        check_chunks(chunks, lengths)
        if not len(chunks):
            return np.empty(0, np.float32)
        with torch.inference_mode():
            logits = self._network(torch.tensor(chunks).to(self._device, self._dtype))
        raw: NDArray[np.float32] = logits.cpu().numpy()
        if not np.isfinite(raw).all():
            raise FloatingPointError(f"WavLM overflows in {self._dtype}; set `precision` to bfloat16 or float32")
        return self._calibration.probability(raw)
