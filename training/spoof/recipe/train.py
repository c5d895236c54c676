"""Makes ``compact.onnx``: ``python -m training.spoof.recipe.train --corpus FOLDER --out compact.onnx``.

Learns from the speakers of the corpus's training part and the systems that aren't held out, and calibrates on its
development part. Half an hour on one core, much of it spent on degrading and describing the corpus the first time.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from models.spoof.calibration import Calibration, calibrate
from models.spoof.compact import CompactDetector
from models.spoof.settings import CompactSettings
from training.spoof.recipe import bank
from training.spoof.recipe.corpus import HUMAN, Row, Split, read_manifest
from training.spoof.recipe.evaluate import MIXED, Scores, score

HUMAN_VARIANTS = 18
SPOOF_VARIANTS = 4
"""Each human voice is known from one utterance, each synthesiser from many."""

STEPS = 2000
SEED = 1


def learnable(utterances: Sequence[Row], split: Split) -> list[Row]:
    """The human speech of a part of the corpus and its spoof by systems that aren't held out."""
    return [row for row in utterances if row.split == split and not row.held_out]


def variants(utterance: Row) -> int:
    """Return how many variants of an utterance to learn from."""
    return HUMAN_VARIANTS if utterance.system == HUMAN else SPOOF_VARIANTS


def calibration_of(scores: Scores) -> Calibration:
    """Calibrate so that all systems and all conditions count the same."""
    _, of_group, sizes = np.unique(
        np.char.add(scores.systems, scores.conditions), return_inverse=True, return_counts=True
    )
    return calibrate(scores.logits, scores.spoof.astype(np.int64), 1 / sizes[of_group])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.spoof.recipe.train", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus, with its manifest.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint to write")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of gradient descent")
    parser.add_argument("--threads", type=int, default=1, help="cores to train on")
    parser.add_argument("--processes", type=int, default=1, help="processes that describe the corpus")
    parser.add_argument("--start", type=Path, help="a checkpoint to train on from")
    given = parser.parse_args(arguments)
    train(given.corpus, given.out, given.steps, given.threads, given.processes, given.start)


def train(corpus: Path, out: Path, steps: int, threads: int, processes: int, start: Path | None) -> None:
    """Describe, fit, calibrate, export."""
    import torch

    from training.spoof.network import CompactNetwork, export, load_network
    from training.spoof.training import FitSettings, Progress, fit

    console = Console()
    utterances = read_manifest(corpus)
    material = learnable(utterances, "train")

    def described(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            console.print(f"described {done} of {total} utterances")

    def learned(progress: Progress) -> None:
        console.print(
            f"step {progress.step} of {progress.steps}, loss {progress.loss:.4f}, {progress.seconds / 60:.1f} min"
        )

    bank.extend(corpus, material, variants, processes=processes, progress=described)
    features = bank.load(corpus, material)
    console.print(f"{len(features)} variants of {len(material)} utterances, {len(set(features.groups)) - 1} systems")

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    network = load_network(start) if start else CompactNetwork()
    trained = fit(network, features, FitSettings(steps=steps, seed=SEED), learned)

    partial = out.with_suffix(".uncalibrated.onnx")
    export(trained, Calibration(), partial, name=out.stem)
    detector = CompactDetector(CompactSettings(model=partial, threads=threads))
    calibration = calibration_of(score(detector, corpus, learnable(utterances, "dev"), MIXED))
    export(trained, calibration, out, name=out.stem)
    partial.unlink()
    console.print(f"{out}: scale {calibration.scale:.3f}, bias {calibration.bias:+.3f}")


if __name__ == "__main__":
    main()
