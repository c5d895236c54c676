"""Protocol of a network that can be fine-tuned, and fine-tuning: epochs until the held-out error stops falling."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.spoof.calibration import Calibration
from models.spoof.settings import SpoofSettings
from training.spoof.chunk_bank import ChunkBank
from training.spoof.folders import BONA_FIDE, SPOOF
from training.spoof.metrics import eer
from training.spoof.report import Epoch


class Learner(Protocol):
    """A network that is being fine-tuned."""

    def describe(self, speech: NDArray[np.float32]) -> NDArray[Any]:
        """Turn up to 4 s of speech into the rows of a ``ChunkBank``."""
        ...

    def epoch(self, bank: ChunkBank) -> Iterator[float]:
        """Learn from about as many chunks as the bank has; yield the loss of each step."""
        ...

    def steps(self, bank: ChunkBank) -> int:
        """Return how many steps an epoch has."""
        ...

    def logits(self, bank: ChunkBank) -> NDArray[np.float32]:
        """Return the raw score of each chunk, higher for spoof, float32[N]."""
        ...

    def snapshot(self) -> Any:
        """Return a copy of what is being learnt."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Return to a snapshot."""
        ...

    def save(self, folder: Path, calibration: Calibration) -> SpoofSettings:
        """Write the checkpoint and return the settings with which the engine takes it."""
        ...


def fine_tune(
    learner: Learner,
    train: ChunkBank,
    dev: ChunkBank,
    *,
    epochs: int,
    patience: int,
    on_step: Callable[[int, float], None] = lambda _epoch, _loss: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> tuple[int, list[Epoch]]:
    """Train until the held-out EER has not fallen for some epochs, and go back to the best one.

    Among equal EERs, which are common where few chunks are held out, the lower held-out loss is better. The network as
    it was at the start takes part.

    Args:
        learner: The network; left as it was after the best epoch.
        train: To learn from.
        dev: Held out.
        epochs: At most so many.
        patience: Epochs without progress after which to stop.
        on_step: Told the epoch and the loss after each step.
        on_epoch: Told after each epoch, and before the first.

    Returns:
        The number of the best epoch, 0 for the start, and all epochs.
    """
    history = [_judged(learner, dev, 0, None)]
    on_epoch(history[0])
    best, kept = history[0], learner.snapshot()
    for number in range(1, epochs + 1):
        losses = []
        for loss in learner.epoch(train):
            losses.append(loss)
            on_step(number, loss)
        history.append(_judged(learner, dev, number, float(np.mean(losses))))
        on_epoch(history[-1])
        if (history[-1].dev_eer, history[-1].dev_loss) < (best.dev_eer, best.dev_loss):
            best, kept = history[-1], learner.snapshot()
        elif number - best.number >= patience:
            break
    learner.restore(kept)
    return best.number, history


def balanced(bank: ChunkBank, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw chunks, half of each class, all groups of a class equally often, int64[batch]."""
    rows = []
    for label, count in ((BONA_FIDE, batch - batch // 2), (SPOOF, batch // 2)):
        of_class = np.flatnonzero(bank.labels == label)
        groups = bank.groups[of_class]
        for group in rng.choice(np.unique(groups), count):
            rows.append(rng.choice(of_class[groups == group]))
    return np.array(rows, np.int64)


def _judged(learner: Learner, dev: ChunkBank, number: int, loss: float | None) -> Epoch:
    logits = learner.logits(dev).astype(np.float64)
    bona_fide, spoof = logits[dev.labels == BONA_FIDE], logits[dev.labels == SPOOF]
    dev_loss = (np.logaddexp(0, bona_fide).mean() + np.logaddexp(0, -spoof).mean()) / 2
    return Epoch(number, loss, eer(bona_fide, spoof)[0], float(dev_loss))
