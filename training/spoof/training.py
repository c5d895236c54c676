"""Training of the compact network on banks of features; needs PyTorch.

Speech is described once, degraded in the time domain as often as wished, and kept as features. Each step then cuts
random stretches out of the bank and hides parts of them.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.spoof.features import BANDS, VIEWS, WIDTH, describe, normalised
from training.spoof.network import CompactNetwork

Pcm = NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """A stretch of speech to learn from.

    Args:
        pcm: Mono float32 at 16 kHz, shape [samples].
        label: 1 for spoof, 0 for bona fide.
        group: Where it comes from, for instance its synthesiser; all groups of a class are drawn equally often.
    """

    pcm: Pcm
    label: int
    group: str


@dataclass(frozen=True)
class FeatureBank:
    """Features of many stretches of speech, one behind the other.

    Args:
        bands: As from ``describe``, float16[frames, 240], in memory or mapped from a file.
        starts: The first frame of each stretch, int64[N].
        ends: The frame behind its last, int64[N].
        labels: 1 for spoof, 0 for bona fide, int64[N].
        groups: The group of each stretch, str[N].
    """

    bands: NDArray[np.float16]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, examples: Iterable[Example]) -> "FeatureBank":
        """Describe the examples, in memory.

        Raises:
            ValueError: There are none.
        """
        bands, labels, groups = [], [], []
        for example in examples:
            bands.append(describe(example.pcm).astype(np.float16))
            labels.append(example.label)
            groups.append(example.group)
        if not bands:
            raise ValueError("there is no speech to learn from")
        lengths = np.array([len(part) for part in bands], np.int64)
        ends = np.cumsum(lengths)
        return cls(np.concatenate(bands), ends - lengths, ends, np.array(labels, np.int64), np.array(groups))

    def joined(self, other: "FeatureBank") -> "FeatureBank":
        """Return both banks as one, in memory."""
        return FeatureBank(
            np.concatenate((self.bands, other.bands)),
            np.concatenate((self.starts, len(self.bands) + other.starts)),
            np.concatenate((self.ends, len(self.bands) + other.ends)),
            np.concatenate((self.labels, other.labels)),
            np.concatenate((self.groups, other.groups)),
        )


@dataclass(frozen=True)
class FitSettings:
    """Length and rate of the training.

    Args:
        steps: Steps of gradient descent.
        batch: Stretches of one step, half of each class.
        learning_rate: The highest; it rises over the first twentieth and falls along a cosine.
        weight_decay: Of AdamW.
        label_smoothing: How far targets keep from 0 and 1.
        shortest: Frames of the shortest stretches.
        longest: Frames of the longest; a chunk's 398 would cost more than they teach.
        averaging: Decay per step of the moving average of weights that is returned.
        seed: Decides all that is random.
    """

    steps: int
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 2e-2
    label_smoothing: float = 0.05
    shortest: int = 100
    longest: int = 240
    averaging: float = 0.99
    seed: int = 1


@dataclass(frozen=True)
class Progress:
    """Progress of the training.

    Args:
        step: Steps done.
        steps: Of how many.
        loss: Mean cross-entropy since the last report.
        seconds: Since the start.
    """

    step: int
    steps: int
    loss: float
    seconds: float


def fit(
    network: CompactNetwork,
    bank: FeatureBank,
    settings: FitSettings,
    progress: Callable[[Progress], None] = lambda _: None,
    *,
    report_every: int = 50,
) -> CompactNetwork:
    """Train a network, new or loaded, on a bank with both classes.

    Args:
        network: Where to start; it is left as its last step made it.
        bank: What to learn from.
        settings: How long and how fast.
        progress: Told now and then, and at the end.
        report_every: Steps between two reports.

    Returns:
        The moving average of the network's weights, in evaluation mode.

    Raises:
        ValueError: A class is missing.
    """
    rng = np.random.default_rng(settings.seed)
    torch.manual_seed(settings.seed)
    network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(settings.averaging)  # type: ignore[no-untyped-call]
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.05
    )
    started, losses = time.monotonic(), []
    for step, (heard, labels) in zip(range(1, settings.steps + 1), batches(bank, settings, rng), strict=False):
        targets = labels * (1 - settings.label_smoothing) + settings.label_smoothing / 2
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(torch.from_numpy(heard)), torch.from_numpy(targets)
        )
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(network)
        losses.append(loss.item())
        if step % report_every == 0 or step == settings.steps:
            progress(Progress(step, settings.steps, float(np.mean(losses)), time.monotonic() - started))
            losses.clear()
    averaged = average.module
    assert isinstance(averaged, CompactNetwork)
    return averaged.eval()


def batches(bank: FeatureBank, settings: FitSettings, rng: np.random.Generator) -> Iterator[tuple[Pcm, Pcm]]:
    """Random stretches without end: features [batch, frames, 240] and labels [batch], half of each class.

    Raises:
        ValueError: A class is missing.
    """
    members = [
        [np.flatnonzero((bank.labels == label) & (bank.groups == group)) for group in np.unique(bank.groups)]
        for label in (0, 1)
    ]
    groups = [[rows for rows in of_class if len(rows)] for of_class in members]
    if not all(groups):
        raise ValueError("training needs both classes, bona fide and spoof")
    labels = np.repeat([0.0, 1.0], [settings.batch - settings.batch // 2, settings.batch // 2]).astype(np.float32)
    while True:
        frames = int(rng.integers(settings.shortest, settings.longest + 1))
        stretches = np.empty((settings.batch, frames, WIDTH), np.float32)
        for stretch, label in zip(stretches, labels, strict=True):
            of_class = groups[int(label)]
            rows = of_class[rng.integers(len(of_class))]
            stretch[:] = _crop(bank, int(rows[rng.integers(len(rows))]), frames, rng)
        yield _altered(stretches, rng), labels


def _crop(bank: FeatureBank, row: int, frames: int, rng: np.random.Generator) -> NDArray[np.float16]:
    """Cut out a random stretch; one time in ten a shorter one repeated, as short recordings are at run time."""
    start, end = bank.starts[row], bank.ends[row]
    length = min(frames, int(end - start))
    if rng.random() < 0.1:
        length = int(rng.integers(min(length, frames // 4), length + 1))
    first = start + rng.integers(end - start - length + 1)
    return bank.bands[first : first + length][np.arange(frames) % length]


def _altered(stretches: Pcm, rng: np.random.Generator) -> Pcm:
    """Normalise stretches for the network and hide parts of them at random, whichever class they are of."""
    for described in stretches:
        if rng.random() < 0.3:
            _limit_band(described.reshape(-1, VIEWS, BANDS), rng)
    heard = normalised(stretches)
    for features in heard:
        if rng.random() < 0.5:
            _mask(features.reshape(-1, VIEWS, BANDS), rng)
    return heard


def _limit_band(described: Pcm, rng: np.random.Generator) -> None:
    """Cut away the top, and half the time the bottom, as telephones, codecs and resampling do."""
    cut = [slice(int(rng.integers(int(0.4 * BANDS), BANDS)), BANDS)]
    if rng.random() < 0.5:
        cut.append(slice(0, int(rng.integers(1, 5))))
    for bands in cut:
        described[:, 0, bands] -= np.float32(rng.uniform(8, 18))
        described[:, 1:, bands] = 0


def _mask(features: Pcm, rng: np.random.Generator) -> None:
    """Hide a band, a moment (SpecAugment, Park et al. 2019) and now and then one of the views."""
    width = int(rng.integers(1, BANDS // 4))
    first = int(rng.integers(BANDS - width + 1))
    features[:, :, first : first + width] = 0
    if rng.random() < 0.5:
        width = int(rng.integers(1, len(features) // 6))
        first = int(rng.integers(len(features) - width + 1))
        features[first : first + width] = 0
    if rng.random() < 0.3:
        features[:, int(rng.integers(VIEWS))] = 0
