"""``python -m training.spoof.train``: a detector fine-tuned on a user's own recordings; see docs/spoof-training.md."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from models.errors import MissingWeights
from models.spoof import CompactSettings, SpoofSettings, build
from models.spoof.calibration import Calibration, calibrate
from models.spoof.types import Bands
from training.spoof.chunk_bank import ChunkBank, fill_bank
from training.spoof.evaluate import BATCH
from training.spoof.folders import BONA_FIDE, CLASSES, SPOOF, Recording, Unusable, find_recordings
from training.spoof.progress import columns, tell_unusable
from training.spoof.report import Epoch, Training, in_short, make_report, write_report
from training.spoof.scoring import score_recordings
from training.spoof.split import split

if TYPE_CHECKING:
    from training.spoof.learner import Learner

_BATCH = {"compact": 32, "wavlm": 8}
# One weight of WavLM's head counts for little, but there are 98304 of them.
_LEARNING_RATE = {"compact": 3e-4, "wavlm": 1e-5}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fine-tune, report and write the checkpoint; return 0, or 1 after telling what went wrong."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        settings = _train(options, console)
    except (ValueError, MissingWeights, OSError) as error:
        console.print(f"train: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    console.print("To serve it, put these lines into the `args` of the application `graphs`:", highlight=False)
    sys.stdout.write(serve_lines(settings))
    return 0


def serve_lines(settings: SpoofSettings) -> str:
    """Return the lines of serve_config.yaml that take a checkpoint."""
    given = settings.model_dump(mode="json", exclude_unset=True)
    fields = [f"engine: {settings.engine}", *(f"{name}: {json.dumps(value)}" for name, value in given.items())]
    return f"spoof:\n  engine: {{{', '.join(fields)}}}\n"


def _train(options: argparse.Namespace, console: Console) -> SpoofSettings:
    train, dev = split(find_recordings(options.real, options.fake), options.dev_share, options.seed)
    console.print(f"{len(train)} files to learn from, {len(dev)} held out", highlight=False)
    learner = _learner(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="chunks-", dir=options.out) as folder,
        Progress(*columns(), console=console) as progress,
    ):
        variants = _degradations(options)
        learnt = _bank(Path(folder) / "train", train, learner, progress, console, "reading to learn", variants)
        held_out = _bank(Path(folder) / "dev", dev, learner, progress, console, "reading held-out", [])
        best, epochs = _fine_tune(options, learner, learnt, held_out, progress)
        calibration = _calibrated(learner, held_out)
    settings = learner.save(options.out.resolve(), calibration)
    training = Training(len(train), len(dev), best, tuple(epochs), _recorded(options))
    _report(options, settings, dev, training, console)
    return settings


def _learner(options: argparse.Namespace) -> "Learner":
    batch = options.batch or _BATCH[options.engine]
    rate = options.learning_rate or _LEARNING_RATE[options.engine]
    if options.engine == "compact":
        from training.spoof.compact_learner import CompactLearner

        return CompactLearner(options.start, batch=batch, learning_rate=rate, seed=options.seed)
    from training.spoof.wavlm_learner import WavLmLearner

    return WavLmLearner(
        options.start,
        options.backbone,
        unfreeze=options.unfreeze,
        batch=batch,
        learning_rate=rate,
        device=options.device,
        seed=options.seed,
    )


def _degradations(options: argparse.Namespace) -> list[Callable[[NDArray[np.float32]], NDArray[np.float32]]]:
    """Return the degradations of recordings, for both classes alike: codecs, noise, rooms, band limits, levels."""
    from training.spoof.recipe.degrade import degrade

    rng = np.random.default_rng(options.seed)
    return [partial(degrade, rng=rng)] * options.degraded_copies


def _bank(
    file: Path,
    recordings: list[Recording],
    learner: "Learner",
    progress: Progress,
    console: Console,
    what: str,
    variants: list[Callable[[NDArray[np.float32]], NDArray[np.float32]]],
) -> ChunkBank:
    task = progress.add_task(what, total=len(recordings))
    bank, unusable = fill_bank(
        file, recordings, learner.describe, variants=variants, on_file=lambda _: progress.advance(task)
    )
    tell_unusable(console, unusable)
    for label in (BONA_FIDE, SPOOF):
        if not (bank.labels == label).any():
            raise ValueError(_nothing_left(label, what, unusable))
    return bank


def _nothing_left(label: int, what: str, unusable: list[Unusable]) -> str:
    why = f"; for instance {unusable[0].path}: {unusable[0].reason}" if unusable else ""
    return f"{what}: no speech of class {CLASSES[label]} was found{why}"


def _fine_tune(
    options: argparse.Namespace, learner: "Learner", train: ChunkBank, dev: ChunkBank, progress: Progress
) -> tuple[int, list[Epoch]]:
    from training.spoof.learner import fine_tune

    steps = learner.steps(train)
    task = progress.add_task("training", total=options.epochs * steps)

    def stepped(epoch: int, loss: float) -> None:
        progress.update(task, advance=1, description=f"epoch {epoch}, loss {loss:.3f}")

    def judged(epoch: Epoch) -> None:
        when = f"after epoch {epoch.number}" if epoch.number else "at the start"
        progress.console.print(
            f"{when}: held-out EER {100 * epoch.dev_eer:.2f} %, loss {epoch.dev_loss:.4f}", highlight=False
        )

    return fine_tune(
        learner, train, dev, epochs=options.epochs, patience=options.patience, on_step=stepped, on_epoch=judged
    )


def _calibrated(learner: "Learner", dev: ChunkBank) -> Calibration:
    return calibrate(learner.logits(dev), dev.labels)


def _report(
    options: argparse.Namespace, settings: SpoofSettings, dev: list[Recording], training: Training, console: Console
) -> None:
    """Judge the checkpoint as the engine that will serve it hears the held-out recordings."""
    with Progress(*columns(), console=console) as progress:
        task = progress.add_task("judging the checkpoint", total=len(dev))
        scored = score_recordings(
            build(settings), dev, batch=BATCH[settings.engine], on_file=lambda _: progress.advance(task)
        )
    bands = Bands(settings.bona_fide_below, settings.spoof_from)
    report = make_report(scored, bands, f"{settings.engine}, fine-tuned, held-out recordings")
    write_report(options.out, report, scored, training)
    name = "compact.onnx" if isinstance(settings, CompactSettings) else "wavlm.pt"
    console.print(
        f"held-out {in_short(report)}; written to {options.out}: {name}, report.md, report.json, det.png",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _recorded(options: argparse.Namespace) -> dict[str, str | int | float | None]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in sorted(vars(options).items())}


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _share(text: str) -> float:
    if not 0 < (value := float(text)) <= 0.5:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 0.5")
    return value


def _batch(text: str) -> int:
    if (value := int(text)) < 2:
        raise argparse.ArgumentTypeError("a batch needs chunks of both classes: at least 2")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.spoof.train",
        description="Fine-tune the compact detector, or RealTone's head on WavLM, on folders of real and fake speech.",
    )
    parser.add_argument("--engine", choices=("compact", "wavlm"), default="compact")
    parser.add_argument("--real", type=Path, required=True, help="folder of real speech; sub-folders are speakers")
    parser.add_argument(
        "--fake", type=Path, required=True, help="folder of synthetic speech; sub-folders, synthesisers"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint and its report")
    parser.add_argument("--from", dest="start", type=Path, help="checkpoint to start from; compact: the one that ships")
    parser.add_argument("--backbone", type=Path, help="wavlm: folder of the backbone, such as microsoft/wavlm-base")
    parser.add_argument("--unfreeze", type=int, default=0, help="wavlm: last layers of the backbone that learn too")
    parser.add_argument("--epochs", type=_positive, default=20, help="at most so many (20)")
    parser.add_argument(
        "--patience", type=_positive, default=3, help="epochs without a lower held-out EER to stop after (3)"
    )
    parser.add_argument("--batch", type=_batch, help="chunks of one step (compact 32, wavlm 8)")
    parser.add_argument("--learning-rate", type=float, help="of the highest-learning part (compact 3e-4, wavlm 1e-5)")
    parser.add_argument("--degraded-copies", type=int, default=1, help="degraded copies of each training chunk (1)")
    parser.add_argument("--dev-share", type=_share, default=0.2, help="share of the files that is held out (0.2)")
    parser.add_argument("--seed", type=int, default=1, help="decides the split and all else that is random (1)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="wavlm: where to compute")
    return parser


if __name__ == "__main__":
    sys.exit(main())
