"""Makes the compact encoder: ``python -m training.speaker.train FOLDER --out compact.onnx``.

FOLDER holds recordings of one speaker each, named ``<speaker>-....flac``: LibriSpeech train-clean-100 (CC-BY 4.0).
Every fifth is left out, as by ``training.speaker.train_spectral``. Needs the extra ``recipe``; see MODEL_CARD.md.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.speaker.filterbank import SAMPLE_RATE, log_mel
from training.speaker.corpus import SEED, Corpus, Spectrum, prepare
from training.speaker.export import export
from training.speaker.masking import HEAVY, LIGHT, Masking, masked
from training.speaker.network import DIMENSION, SpeakerNetwork
from training.speaker.train_spectral import recordings
from training.speaker.verification import CONDITIONS, Trials
from training.speaker.voices import VOICES_PER_SPEAKER

SHORTEST_SPEECH = 4 * SAMPLE_RATE
CROP_FRAMES = (60, 200)
START_FRAMES = 400
PEOPLE_PER_BATCH = 12
VOICES_PER_PERSON = 2
VOICE_PROBABILITIES = np.array([0.2, *[0.8 / (VOICES_PER_SPEAKER - 1)] * (VOICES_PER_SPEAKER - 1)])
"""A person's own voice is drawn more often: the others have the vocoder's sound."""

CROPS_PER_VOICE = 3
WEIGHT_DECAY = 2e-2
SCALE = 30.0
REPORT_EVERY = 100


@dataclass(frozen=True)
class Stage:
    """A part of the training, with a learning rate that rises and falls once.

    Attributes:
        steps: Batches.
        learning_rate: The highest.
        warmup: Share of the steps in which it rises.
        margin: Angle that a crop must be nearer to its own voice, radians; reached after a third of the steps where
            the stage starts from scratch.
        renditions: Probability of each rendition of a voice, as recorded first.
        masking: Changes made to the crops.
    """

    steps: int
    learning_rate: float
    warmup: float
    margin: float
    renditions: tuple[float, ...]
    masking: Masking


STAGES = (
    Stage(700, 2e-3, 0.15, 0.2, (1 / 3, 1 / 3, 1 / 3), HEAVY),
    Stage(1200, 1.5e-3, 0.1, 0.1, (0.5, 0.25, 0.25), LIGHT),
)
"""Robust first, then exact: so few people are learnt slowly when everything around them changes all the time."""


@dataclass(frozen=True)
class Batch:
    """Crops of one length: ``CROPS_PER_VOICE`` of each voice, side by side.

    Attributes:
        spectra: Shape [B, frames, MELS].
        voices: Index of the voice of each, shape [B].
    """

    spectra: Tensor
    voices: Tensor


class AngularMargin(nn.Module):
    """Additive angular margin softmax (Deng et al., 2019) over the voices of the corpus."""

    def __init__(self, voices: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(voices, DIMENSION) * 0.1)

    @torch.no_grad()
    def start_from(self, network: SpeakerNetwork, corpus: Corpus) -> None:
        """Put each voice where the network hears it."""
        network.eval()
        for weight, renditions in zip(self.weight, corpus.spectra, strict=True):
            spectrum = torch.from_numpy(renditions[0][:START_FRAMES].astype(np.float32))
            weight.copy_(functional.normalize(network(spectrum[None])[0], dim=0))

    def forward(self, embeddings: Tensor, voices: Tensor, margin: float) -> Tensor:
        """Return the mean cross-entropy."""
        cosines = functional.linear(functional.normalize(embeddings), functional.normalize(self.weight))
        right = cosines.gather(1, voices[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
        harder = torch.cos(torch.acos(right) + margin)
        return functional.cross_entropy(SCALE * cosines.scatter(1, voices[:, None], harder), voices)


class Prototypical(nn.Module):
    """Angular prototypical loss (Chung et al., 2020): a crop must be nearest to the other crops of its voice.

    Other voices of the same person say the same words over the same microphone: what tells them apart is the voice.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(15.0))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the mean cross-entropy; crops of a voice lie side by side."""
        grouped = embeddings.view(-1, CROPS_PER_VOICE, DIMENSION)
        queries = functional.normalize(grouped[:, 0])
        prototypes = functional.normalize(grouped[:, 1:].mean(dim=1))
        return functional.cross_entropy(self.scale.clamp(min=1.0) * queries @ prototypes.T, torch.arange(len(grouped)))


def draw(corpus: Corpus, stage: Stage, rng: np.random.Generator) -> Batch:
    """Draw crops at random: other people, voices, renditions and moments each time, hidden and filtered anew."""
    frames = int(np.exp(rng.uniform(*np.log(CROP_FRAMES))))
    crops: list[Spectrum] = []
    voices: list[int] = []
    for person in rng.choice(corpus.people, PEOPLE_PER_BATCH, replace=False):
        for variant in rng.choice(VOICES_PER_SPEAKER, VOICES_PER_PERSON, replace=False, p=VOICE_PROBABILITIES):
            voice = int(person) * VOICES_PER_SPEAKER + int(variant)
            crops += _crops(corpus.spectra[voice], frames, stage, rng)
            voices += [voice] * CROPS_PER_VOICE
    spectra = masked(np.stack(crops).astype(np.float32), rng, stage.masking)
    return Batch(torch.from_numpy(spectra), torch.tensor(voices))


def _crops(renditions: Sequence[Spectrum], frames: int, stage: Stage, rng: np.random.Generator) -> Iterator[Spectrum]:
    """Crops from different parts of the recording, so that they share the voice and few of the words."""
    for part in rng.permutation(CROPS_PER_VOICE):
        spectrum = renditions[rng.choice(len(renditions), p=stage.renditions)]
        start = int((len(spectrum) - frames) * (part + rng.random()) / CROPS_PER_VOICE)
        yield spectrum[start : start + frames]


def train(
    corpus: Corpus, stages: Sequence[Stage], report: Callable[[int, float, SpeakerNetwork], None]
) -> SpeakerNetwork:
    """Train from scratch.

    Args:
        corpus: The voices.
        stages: One after the other.
        report: Called now and then with the step, the mean loss since the last call and the network so far.
    """
    torch.manual_seed(SEED)
    network = SpeakerNetwork()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    margin_loss = AngularMargin(len(corpus.spectra))
    done = 0
    for number, stage in enumerate(stages):

        def tell(step: int, loss: float, before: int = done) -> None:
            report(before + step, loss, network)

        _train_stage(network, margin_loss, corpus, stage, number, tell)
        done += stage.steps
        margin_loss.start_from(network, corpus)
    network.eval()
    return network


def _train_stage(
    network: SpeakerNetwork,
    margin_loss: AngularMargin,
    corpus: Corpus,
    stage: Stage,
    number: int,
    report: Callable[[int, float], None],
) -> None:
    rng = np.random.default_rng(SEED + number)
    prototypical_loss = Prototypical()
    parameters = [p for module in (network, margin_loss, prototypical_loss) for p in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, stage.learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, stage.learning_rate, total_steps=stage.steps, pct_start=stage.warmup
    )
    losses: list[float] = []
    for step in range(1, stage.steps + 1):
        batch = draw(corpus, stage, rng)
        embeddings = network.train()(batch.spectra)
        margin = stage.margin if number else stage.margin * min(1.0, 3 * step / stage.steps)
        loss = margin_loss(embeddings, batch.voices, margin) + prototypical_loss(embeddings)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % REPORT_EVERY == 0 or step == stage.steps:
            network.eval()
            report(step, float(np.mean(losses)))
            losses.clear()


def embedder(network: SpeakerNetwork) -> Callable[..., np.ndarray]:
    """The network as a function from windows of one length to L2-normalised embeddings."""

    @torch.inference_mode()
    def embed(windows: list[np.ndarray]) -> np.ndarray:
        spectra = torch.from_numpy(np.stack([log_mel(window) for window in windows]))
        parts = [functional.normalize(network(part)) for part in torch.split(spectra, 64)]
        return torch.cat(parts).numpy()

    return embed


def main() -> None:
    """Train, report on the tuning half of the held-out speakers and write the encoder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2, help="processes that make the voices")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    corpus = prepare(recordings(arguments.folder, held_out=False), SHORTEST_SPEECH, arguments.workers)
    trials = Trials(recordings(arguments.folder, held_out=True)[1::2])
    total = sum(stage.steps for stage in STAGES)
    started = time.monotonic()

    def report(step: int, loss: float, network: SpeakerNetwork) -> None:
        rates = {name: trials.equal_error_rate(embedder(network), name, 1.5) for name in CONDITIONS}
        said = ", ".join(f"{name} {rate:.1%}" for name, rate in rates.items())
        passed = time.monotonic() - started
        print(f"step {step} of {total}, {passed:.0f} s: loss {loss:.2f}, EER at 1.5 s {said}", flush=True)

    network = train(corpus, STAGES, report)
    export(network, arguments.out)
    print(f"{corpus.people} people, {len(corpus.spectra)} voices: wrote {arguments.out}")


if __name__ == "__main__":
    main()
