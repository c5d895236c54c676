"""``python -m training.spoof.evaluate``: a detector judged on a user's own recordings; see docs/spoof-training.md."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from models.errors import MissingWeights
from models.spoof import ClassifierSettings, CompactSettings, SpoofSettings, WavLmSettings, build
from models.spoof.types import Bands
from training.spoof.folders import find_recordings
from training.spoof.progress import columns, tell_unusable
from training.spoof.report import in_short, make_report, write_report
from training.spoof.scoring import score_recordings

BATCH = {"compact": 32, "wavlm": 8, "classifier": 8}


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate and write the report; return 0, or 1 after telling what went wrong."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        _evaluate(options, console)
    except (ValueError, MissingWeights, OSError) as error:
        console.print(f"evaluate: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return 0


def _evaluate(options: argparse.Namespace, console: Console) -> None:
    settings = _settings(options)
    recordings = find_recordings(options.real, options.fake)
    detector = build(settings)
    with Progress(*columns(), console=console) as progress:
        task = progress.add_task("scoring", total=len(recordings))
        scored = score_recordings(
            detector,
            recordings,
            batch=options.batch or BATCH[settings.engine],
            on_file=lambda _: progress.advance(task),
        )
    tell_unusable(console, scored.unusable)
    bands = Bands(settings.bona_fide_below, settings.spoof_from)
    report = make_report(scored, bands, f"{settings.engine}, {options.model or 'the model that ships'}")
    write_report(options.out, report, scored)
    written = f"{in_short(report)}; written to {options.out}: report.md, report.json, det.png"
    console.print(written, markup=False, highlight=False, soft_wrap=True)


def _settings(options: argparse.Namespace) -> SpoofSettings:
    given = {"bona_fide_below": options.bona_fide_below, "spoof_from": options.spoof_from}
    given = {name: value for name, value in given.items() if value is not None}
    on_torch = {"device": options.device, "precision": options.precision}
    if options.model is None and options.engine != "compact":
        raise ValueError(f"the engine {options.engine} needs --model")
    try:
        match options.engine:
            case "wavlm":
                return WavLmSettings(checkpoint=options.model, backbone=options.backbone, **on_torch, **given)
            case "classifier":
                labels = tuple(options.spoof_label)
                return ClassifierSettings(model=options.model, spoof_labels=labels, **on_torch, **given)
            case _:
                return CompactSettings(model=options.model, **given)
    except ValidationError as error:
        raise ValueError("; ".join(str(fault["msg"]) for fault in error.errors())) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.spoof.evaluate",
        description="Score folders of real and fake speech and report EER, minDCF, verdicts and the DET curve.",
    )
    parser.add_argument("--engine", choices=("compact", "wavlm", "classifier"), default="compact")
    parser.add_argument("--model", help="checkpoint, or classifier (docs/weights.md); compact: the one that ships")
    parser.add_argument("--backbone", help="wavlm: the backbone, for its config.json; default wavlm-base")
    parser.add_argument("--real", type=Path, required=True, help="folder of real speech; sub-folders are speakers")
    parser.add_argument(
        "--fake", type=Path, required=True, help="folder of synthetic speech; sub-folders, synthesisers"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for report.md, report.json and det.png")
    parser.add_argument("--spoof-label", action="append", default=[], help="classifier: a label that means spoof")
    parser.add_argument("--bona-fide-below", type=float, help="P(spoof) below which a voice is taken for real")
    parser.add_argument("--spoof-from", type=float, help="P(spoof) from which a voice is taken for synthetic")
    parser.add_argument("--batch", type=int, help="chunks scored at once")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", choices=("auto", "float32", "float16", "bfloat16"), default="auto")
    return parser


if __name__ == "__main__":
    sys.exit(main())
