"""Fine-tuning of RealTone's head on WavLM, and of WavLM's last layers where asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import WavLMModel

from models.errors import MissingWeights
from models.spoof.calibration import Calibration
from models.spoof.chunks import padded
from models.spoof.settings import WavLmSettings
from models.spoof.wavlm_checkpoint import load_checkpoint, save_checkpoint
from models.spoof.wavlm_network import WavLmNetwork, backbone_config
from models.torch_device import DeviceName, device_of
from training.spoof.chunk_bank import ChunkBank
from training.spoof.learner import balanced

_NO_START = (
    "fine-tuning WavLM needs its weights: fetch them with hf download microsoft/wavlm-base --local-dir DIR and give "
    "--backbone DIR, or give a trained checkpoint with --from"
)


class WavLmLearner:
    """RealTone's head on a frozen WavLM. The backbone neither drops nor masks anything, even where it learns.

    Args:
        start: A checkpoint; None for a new head on the backbone.
        backbone: Folder with the backbone's config.json and, without ``start``, its weights; None for the configuration
            of microsoft/wavlm-base.
        unfreeze: How many of the backbone's last layers learn too.
        batch: Chunks of one step.
        learning_rate: Of AdamW, for the head; the backbone's layers learn ten times slower.
        device: Where to compute.
        seed: Decides all that is random.

    Raises:
        MissingWeights: There are no weights to start from.
        ValueError: They don't fit, or there are not so many layers.
    """

    def __init__(
        self,
        start: Path | None,
        backbone: Path | None,
        *,
        unfreeze: int,
        batch: int,
        learning_rate: float,
        device: DeviceName,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._batch = batch
        self._device = device_of(device)
        self._network = _start(start, backbone).eval().to(self._device)
        layers = self._network.wavlm.encoder.layers
        if not 0 <= unfreeze <= len(layers):
            raise ValueError(
                f"the backbone has {len(layers)} layers, so --unfreeze is 0 to {len(layers)}, not {unfreeze}"
            )
        self._network.requires_grad_(False)
        head = list(self._network.linear.parameters())
        learning = [parameter for layer in layers[len(layers) - unfreeze :] for parameter in layer.parameters()]
        self._learning = [parameter.requires_grad_() for parameter in (*head, *learning)]
        rates: list[dict[str, Any]] = [{"params": head}, {"params": learning, "lr": learning_rate / 10}]
        self._optimiser = torch.optim.AdamW(rates, learning_rate, weight_decay=1e-2)

    def describe(self, speech: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples, float32[up to 64000]."""
        return speech

    def steps(self, bank: ChunkBank) -> int:
        """Return how many steps an epoch has."""
        return -(-len(bank) // self._batch)

    def epoch(self, bank: ChunkBank) -> Iterator[float]:
        """Learn from as many chunks as the bank has, half of each class."""
        for _ in range(self.steps(bank)):
            rows = balanced(bank, self._batch, self._rng)
            targets = torch.from_numpy(bank.labels[rows].astype(np.float32)).to(self._device)
            loss = nn.functional.binary_cross_entropy_with_logits(self._score(bank, rows), targets)
            self._optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self._learning, 5.0)
            self._optimiser.step()
            yield loss.item()

    def logits(self, bank: ChunkBank) -> NDArray[np.float32]:
        """Return the raw score of each chunk, zeros behind short ones."""
        scores = np.empty(len(bank), np.float32)
        with torch.inference_mode():
            for first in range(0, len(bank), self._batch):
                rows = np.arange(first, min(first + self._batch, len(bank)))
                scores[rows] = self._score(bank, rows).cpu().numpy()
        return scores

    def snapshot(self) -> Any:
        """Return a copy of the weights that learn."""
        return [parameter.detach().clone() for parameter in self._learning]

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""
        with torch.no_grad():
            for parameter, kept in zip(self._learning, snapshot, strict=True):
                parameter.copy_(kept)

    def save(self, folder: Path, calibration: Calibration) -> WavLmSettings:
        """Write ``wavlm.pt`` and the backbone's ``config.json``."""
        file = folder / "wavlm.pt"
        self._network.config.save_pretrained(folder)
        save_checkpoint(file, self._network, calibration)
        return WavLmSettings(checkpoint=file, backbone=folder)

    def _score(self, bank: ChunkBank, rows: NDArray[np.int64]) -> torch.Tensor:
        waveforms = torch.from_numpy(np.stack([padded(bank[int(row)]) for row in rows])).to(self._device)
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            logits: torch.Tensor = self._network(waveforms)
        return logits


def _start(start: Path | None, backbone: Path | None) -> WavLmNetwork:
    if start is not None:
        network, _ = load_checkpoint(start.expanduser(), backbone_config(backbone))
        return network
    if backbone is None:
        raise MissingWeights(_NO_START)
    network = WavLmNetwork(backbone_config(backbone))
    folder = backbone.expanduser()
    if not any((folder / name).is_file() for name in ("model.safetensors", "pytorch_model.bin")):
        raise MissingWeights(f"{folder} has no model.safetensors or pytorch_model.bin; {_NO_START}")
    factory: Any = WavLMModel  # typed in the library as if it returned the model alone
    loaded, info = factory.from_pretrained(
        str(folder), local_files_only=True, dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(info["missing_keys"]):
        raise ValueError(f"the weights in {folder} are not those of its config.json: no {missing[0]}")
    network.wavlm = loaded
    return network
