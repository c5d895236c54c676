"""Result of an evaluation, as JSON, as a page to read and as a plot."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.spoof.types import Bands
from training.spoof.det_plot import draw_det
from training.spoof.folders import BONA_FIDE, CLASSES, SPOOF
from training.spoof.metrics import det_curve, eer, min_dcf
from training.spoof.scoring import Scored, ScoredFile

VERDICTS = ("bona_fide", "inconclusive", "spoof")


@dataclass(frozen=True)
class Rates:
    """Error rates of scores that tell two classes apart.

    Args:
        bona_fide: How many scores of real speech there are.
        spoof: How many of synthetic speech.
        eer: Equal error rate, 0 to 1.
        eer_threshold: P(spoof) at which both errors are equal.
        min_dcf: Least detection cost with ASVspoof 5's priors and costs.
        confusion: Verdicts by class, counted: ``confusion["spoof"]["bona_fide"]`` is synthetic speech believed.
    """

    bona_fide: int
    spoof: int
    eer: float
    eer_threshold: float
    min_dcf: float
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True)
class GroupRates:
    """Error rates of one sub-folder.

    Args:
        label: ``bona_fide`` or ``spoof``.
        group: The sub-folder; empty for the files that are in none.
        files: How many.
        chunks: How many with speech.
        mean_p_spoof: Mean over the chunks.
        eer: Of the group's chunks against all chunks of the other class.
        verdicts: On its files, counted.
    """

    label: str
    group: str
    files: int
    chunks: int
    mean_p_spoof: float
    eer: float
    verdicts: dict[str, int]


@dataclass(frozen=True)
class Report:
    """An evaluation.

    Args:
        model: What was evaluated, in words.
        bands: How P(spoof) becomes a verdict.
        files: By file; a file's score is the mean of its chunks by seconds of speech.
        chunks: By chunk of 4 s.
        groups: By sub-folder.
        unusable: Files that could not be read, with the reason.
        without_speech: Files in which nobody speaks.
    """

    model: str
    bands: Bands
    files: Rates
    chunks: Rates
    groups: tuple[GroupRates, ...]
    unusable: dict[str, str]
    without_speech: tuple[str, ...]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training chunks and what the held-out ones say after it.

    Args:
        number: From 1; 0 is the model before training.
        loss: Mean cross-entropy in training; None before it.
        dev_eer: Equal error rate of the held-out chunks.
        dev_loss: Their cross-entropy, both classes counting alike.
    """

    number: int
    loss: float | None
    dev_eer: float
    dev_loss: float


@dataclass(frozen=True)
class Training:
    """Provenance of a checkpoint.

    Args:
        train_files: Recordings to learn from.
        dev_files: Recordings held out.
        best_epoch: The epoch whose weights were kept.
        epochs: All of them.
        options: The command's.
    """

    train_files: int
    dev_files: int
    best_epoch: int
    epochs: tuple[Epoch, ...]
    options: dict[str, str | int | float | None]


def make_report(scored: Scored, bands: Bands, model: str) -> Report:
    """Compute all rates.

    Raises:
        ValueError: A class has no recording with speech that could be read.
    """
    for label in (BONA_FIDE, SPOOF):
        if not any(file.recording.label == label for file in scored.files):
            raise ValueError(_nothing(scored, label))
    return Report(
        model=model,
        bands=bands,
        files=_rates(*_by_class(scored.files, _file_scores), bands),
        chunks=_rates(*_by_class(scored.files, _chunk_scores), bands),
        groups=tuple(_group_rates(scored.files, bands)),
        unusable={str(unusable.path): unusable.reason for unusable in scored.unusable},
        without_speech=tuple(str(recording.path) for recording in scored.without_speech),
    )


def write_report(folder: Path, report: Report, scored: Scored, training: Training | None = None) -> None:
    """Write ``report.json``, ``report.md`` and ``det.png``.

    Args:
        folder: Where to; made if missing.
        report: What to tell.
        scored: The scores behind it.
        training: How the model came about, where it was trained just now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = asdict(report) | ({"training": asdict(training)} if training else {})
    (folder / "report.json").write_text(json.dumps(content, indent=2) + "\n")
    (folder / "report.md").write_text(as_markdown(report, training))
    curves = {
        "files": det_curve(*_by_class(scored.files, _file_scores)),
        "chunks of 4 s": det_curve(*_by_class(scored.files, _chunk_scores)),
    }
    draw_det(folder / "det.png", curves, report.model)


def in_short(report: Report) -> str:
    """Return the error rates in a line."""
    files, chunks = report.files, report.chunks
    return (
        f"EER {_percent(files.eer)} over {files.bona_fide} real and {files.spoof} fake files, "
        f"{_percent(chunks.eer)} over {chunks.bona_fide} and {chunks.spoof} chunks"
    )


def as_markdown(report: Report, training: Training | None = None) -> str:
    """Return the page."""
    bands = report.bands
    lines = [f"# Spoof detection: {report.model}", ""]
    lines += _table(
        ("scored by", "real", "fake", "EER", "at P(spoof)", "minDCF"),
        [
            (
                name,
                rates.bona_fide,
                rates.spoof,
                _percent(rates.eer),
                f"{rates.eer_threshold:.4f}",
                f"{rates.min_dcf:.3f}",
            )
            for name, rates in (("file", report.files), ("chunk of 4 s", report.chunks))
        ],
    )
    lines += [
        f"Verdicts: `bona_fide` below P(spoof) {bands.bona_fide_below:g}, `spoof` from {bands.spoof_from:g}, "
        "`inconclusive` between.",
        "",
    ]
    for name, rates in (("files", report.files), ("chunks", report.chunks)):
        rows = [(label, *(rates.confusion[label][verdict] for verdict in VERDICTS)) for label in CLASSES]
        lines += _table((f"{name}, by class", *VERDICTS), rows)
    lines += ["## By sub-folder", "", "EER of its chunks against all chunks of the other class.", ""]
    lines += _table(
        ("class", "sub-folder", "files", "chunks", "mean P(spoof)", "EER", *VERDICTS),
        [
            (
                *(
                    row.label,
                    row.group or "(none)",
                    row.files,
                    row.chunks,
                    f"{row.mean_p_spoof:.3f}",
                    _percent(row.eer),
                ),
                *(row.verdicts[verdict] for verdict in VERDICTS),
            )
            for row in report.groups
        ],
    )
    lines += ["![Detection error trade-off](det.png)", ""]
    if training is not None:
        lines += _training(training)
    if report.unusable:
        lines += ["## Files that could not be read", ""]
        lines += [*(f"- `{path}`: {why}" for path, why in report.unusable.items()), ""]
    if report.without_speech:
        lines += ["## Files without speech", "", *(f"- `{path}`" for path in report.without_speech), ""]
    return "\n".join(lines)


def _training(training: Training) -> list[str]:
    lines = [
        "## Training",
        "",
        f"{training.train_files} files to learn from, {training.dev_files} held out. The figures above are of the "
        "held-out files, which also chose the epoch and the calibration: measure the checkpoint on recordings it has "
        "never met with `python -m training.spoof.evaluate`.",
        "",
    ]
    rows = [
        (
            epoch.number or "start",
            "" if epoch.loss is None else f"{epoch.loss:.4f}",
            _percent(epoch.dev_eer),
            f"{epoch.dev_loss:.4f}",
            "kept" if epoch.number == training.best_epoch else "",
        )
        for epoch in training.epochs
    ]
    return lines + _table(("epoch", "training loss", "dev EER", "dev loss", ""), rows)


def _nothing(scored: Scored, label: int) -> str:
    why = [f"{unusable.path}: {unusable.reason}" for unusable in scored.unusable][:1]
    silent = [f"{one.path}: no speech" for one in scored.without_speech if one.label == label][:1]
    example = "; for instance " + (why + silent)[0] if why or silent else ""
    return f"no recording of class {CLASSES[label]} could be scored{example}"


def _file_scores(file: ScoredFile) -> list[float]:
    return [file.p_spoof]


def _chunk_scores(file: ScoredFile) -> list[float]:
    scores: list[float] = file.chunks.tolist()
    return scores


def _by_class(
    files: Iterable[ScoredFile], scores_of: Callable[[ScoredFile], list[float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    scores: tuple[list[float], list[float]] = ([], [])
    for file in files:
        scores[file.recording.label].extend(scores_of(file))
    return np.array(scores[BONA_FIDE]), np.array(scores[SPOOF])


def _rates(bona_fide: NDArray[np.float64], spoof: NDArray[np.float64], bands: Bands) -> Rates:
    rate, threshold = eer(bona_fide, spoof)
    confusion = {CLASSES[BONA_FIDE]: _verdicts(bona_fide, bands), CLASSES[SPOOF]: _verdicts(spoof, bands)}
    return Rates(len(bona_fide), len(spoof), rate, threshold, min_dcf(bona_fide, spoof), confusion)


def _verdicts(scores: NDArray[np.float64], bands: Bands) -> dict[str, int]:
    spoof = scores >= bands.spoof_from
    bona_fide = (scores < bands.bona_fide_below) & ~spoof
    counts = (bona_fide.sum(), (~bona_fide & ~spoof).sum(), spoof.sum())
    return dict(zip(VERDICTS, map(int, counts), strict=True))


def _group_rates(files: Sequence[ScoredFile], bands: Bands) -> Iterable[GroupRates]:
    of_class = _by_class(files, _chunk_scores)
    for label in (BONA_FIDE, SPOOF):
        members: dict[str, list[ScoredFile]] = {}
        for file in files:
            if file.recording.label == label:
                members.setdefault(file.recording.group or "", []).append(file)
        for group, ours in sorted(members.items()):
            chunks = np.concatenate([file.chunks for file in ours]).astype(np.float64)
            pair = (chunks, of_class[SPOOF]) if label == BONA_FIDE else (of_class[BONA_FIDE], chunks)
            yield GroupRates(
                label=CLASSES[label],
                group=group,
                files=len(ours),
                chunks=len(chunks),
                mean_p_spoof=float(chunks.mean()),
                eer=eer(*pair)[0],
                verdicts=_verdicts(np.array([file.p_spoof for file in ours]), bands),
            )


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(head), line("---" for _ in head), *map(line, rows), ""]


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
