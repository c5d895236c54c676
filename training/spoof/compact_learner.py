"""Fine-tuning of the compact network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.spoof.calibration import Calibration
from models.spoof.checkpoint import SHIPPED, metadata, read
from models.spoof.features import describe, normalised, tiled
from models.spoof.settings import CompactSettings
from training.spoof.chunk_bank import ChunkBank
from training.spoof.network import load_network, logits_of
from training.spoof.training import FeatureBank, FitSettings, batches

_SCORED_AT_ONCE = 64


class CompactLearner:
    """The compact network, all of it learning but for the statistics of its batch normalisation.

    Args:
        start: A checkpoint; None for the one that ships.
        batch: Stretches of speech of one step.
        learning_rate: Of AdamW.
        seed: Decides all that is random.

    Raises:
        MissingWeights: There is no such checkpoint.
        ValueError: It can't be trained on.
    """

    def __init__(self, start: Path | None, *, batch: int, learning_rate: float, seed: int) -> None:
        torch.manual_seed(seed)
        self._start = start or SHIPPED
        self._network = load_network(self._start)
        self._settings = FitSettings(steps=0, batch=batch, learning_rate=learning_rate)
        self._rng = np.random.default_rng(seed)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), learning_rate, weight_decay=self._settings.weight_decay
        )

    def describe(self, speech: NDArray[np.float32]) -> NDArray[np.float16]:
        """Features, float16[frames, 240]."""
        return describe(speech).astype(np.float16)

    def steps(self, bank: ChunkBank) -> int:
        """Return how many steps an epoch has."""
        return -(-len(bank) // self._settings.batch)

    def epoch(self, bank: ChunkBank) -> Iterator[float]:
        """Learn from random stretches of the chunks, altered further as in the recipe of the model that ships."""
        self._network.train()
        for module in self._network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()  # a user's few recordings would move its statistics too far
        features = FeatureBank(
            bands=bank.rows, starts=bank.offsets[:-1], ends=bank.offsets[1:], labels=bank.labels, groups=bank.groups
        )
        drawn = batches(features, self._settings, self._rng)
        smoothing = self._settings.label_smoothing
        for _ in range(self.steps(bank)):
            heard, labels = next(drawn)
            targets = torch.from_numpy(labels) * (1 - smoothing) + smoothing / 2
            loss = nn.functional.binary_cross_entropy_with_logits(self._network(torch.from_numpy(heard)), targets)
            self._optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self._network.parameters(), 5.0)
            self._optimiser.step()
            yield loss.item()

    def logits(self, bank: ChunkBank) -> NDArray[np.float32]:
        """Return the raw score of each chunk as the engine would hear it."""
        scores = np.empty(len(bank), np.float32)
        for first in range(0, len(bank), _SCORED_AT_ONCE):
            chunks = range(first, min(first + _SCORED_AT_ONCE, len(bank)))
            features = np.stack([normalised(tiled(bank[chunk].astype(np.float32))) for chunk in chunks])
            scores[chunks.start : chunks.stop] = logits_of(self._network, features)
        return scores

    def snapshot(self) -> Any:
        """Return a copy of the weights."""
        return {name: tensor.clone() for name, tensor in self._network.state_dict().items()}

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""
        self._network.load_state_dict(snapshot)

    def save(self, folder: Path, calibration: Calibration) -> CompactSettings:
        """Write ``compact.onnx``: the checkpoint that was started from, with the weights learnt since."""
        import onnx

        model = onnx.load_from_string(read(self._start))
        state = self._network.state_dict()
        for tensor in model.graph.initializer:
            if tensor.name in state:
                tensor.CopyFrom(onnx.numpy_helper.from_array(state[tensor.name].numpy(), tensor.name))
        onnx.helper.set_model_props(model, metadata(calibration, f"fine-tuned {folder.name}"))
        file, partial = folder / "compact.onnx", folder / "compact.onnx.part"
        partial.write_bytes(model.SerializeToString())
        partial.replace(file)
        return CompactSettings(model=file)
