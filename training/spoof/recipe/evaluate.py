"""Measures a checkpoint: ``python -m training.spoof.recipe.evaluate --corpus FOLDER --model compact.onnx``.

Prints a table for the model card and, with ``--json``, writes the numbers. Speakers of the test part were never trained
or calibrated on; neither were the systems marked as held out.
"""

import argparse
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from models.audio import decode
from models.spoof.chunks import cut
from models.spoof.compact import CompactDetector
from models.spoof.settings import CompactSettings
from models.vad import SileroVad
from training.spoof.metrics import eer
from training.spoof.recipe.corpus import HUMAN, Row, read_manifest
from training.spoof.recipe.degrade import degrade, mp3, opus, telephone_8k

Pcm = NDArray[np.float32]

LEAST_SPEECH = 1.0
"""Seconds of speech that a chunk must hold to count."""

CONDITIONS: Mapping[str, Callable[[Pcm, np.random.Generator], Pcm]] = {
    "as made": lambda pcm, rng: pcm,
    "MP3": lambda pcm, rng: mp3(pcm, 48_000, 22_050),
    "Opus": lambda pcm, rng: opus(pcm, 24_000),
    "telephone": lambda pcm, rng: telephone_8k(pcm),
}
"""What an utterance went through before it is scored: MP3 of 48 and Opus of 24 kbit/s, G.711 at 8 kHz."""

MIXED: Mapping[str, Callable[[Pcm, np.random.Generator], Pcm]] = {
    **CONDITIONS,
    "degraded": lambda pcm, rng: degrade(pcm, rng, float(rng.uniform(0.3, 1.0))),
}
"""Likewise, with the random chain of the training data."""


@dataclass(frozen=True)
class Scores:
    """Raw scores of chunks, with where they come from, each of shape [N].

    Args:
        logits: Before calibration.
        spoof: Whether the chunk is synthetic.
        systems: The synthesiser, or ``human``.
        conditions: A key of the conditions.
        utterances: The utterance's path.
    """

    logits: NDArray[np.float32]
    spoof: NDArray[np.bool_]
    systems: NDArray[np.str_]
    conditions: NDArray[np.str_]
    utterances: NDArray[np.str_]


def score(
    detector: CompactDetector,
    corpus: Path,
    utterances: Sequence[Row],
    conditions: Mapping[str, Callable[[Pcm, np.random.Generator], Pcm]],
) -> Scores:
    """Score every chunk that holds a second of speech, under every condition."""
    vad = SileroVad()
    logits, origins = [], []
    for utterance in track(utterances, "Scoring", console=Console(stderr=True)):
        with (corpus / utterance.path).open("rb") as source:
            pcm = decode(source)
        spoken = _spoken(vad, pcm)
        for condition, pass_through in conditions.items():
            heard = pass_through(pcm, np.random.default_rng(zlib.crc32(f"{utterance.path} {condition}".encode())))
            chunks = [chunk for chunk, counts in zip(cut([heard]), spoken, strict=True) if counts]
            if not chunks:
                continue
            windows = np.stack([chunk.window for chunk in chunks])
            logits.append(detector.logits(windows, np.array([chunk.length for chunk in chunks], np.int64)))
            origins += [(utterance.system, condition, utterance.path)] * len(chunks)
    systems, names, paths = (np.array(column) for column in zip(*origins, strict=True))
    return Scores(np.concatenate(logits), systems != HUMAN, systems, names, paths)


def _spoken(vad: SileroVad, pcm: Pcm) -> list[bool]:
    """Return, for each chunk of a recording, whether it holds enough speech to count."""
    spans = vad.speech(pcm)
    return [
        sum(max(0.0, min(chunk.end, span.end) - max(chunk.start, span.start)) for span in spans) >= LEAST_SPEECH
        for chunk in cut([pcm])
    ]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Args:
        system: A synthesiser, or a pool of them.
        unseen: Whether it was kept out of training.
        chunks: Of it, as made.
        eer: Equal error rate against the human chunks of the same condition, by condition.
        missed: Share of its chunks, over all conditions, that the default bands take for bona fide.
        inconclusive: Share that falls between the bands.
    """

    system: str
    unseen: bool
    chunks: int
    eer: Mapping[str, float]
    missed: float
    inconclusive: float


def tabulate(scores: Scores, p_spoof: NDArray[np.float32], unseen: set[str], settings: CompactSettings) -> list[Line]:
    """The pools of seen and of unseen systems, then each system."""
    present = sorted(set(scores.systems[scores.spoof]), key=lambda name: (name in unseen, name))
    pools = [("all seen systems", [s for s in present if s not in unseen])]
    pools += [("all unseen systems", [s for s in present if s in unseen])]
    rows = []
    for name, systems in [*pools, *((system, [system]) for system in present)]:
        if not systems:
            continue
        of_row = np.isin(scores.systems, systems)
        rates = {}
        for condition in dict.fromkeys(scores.conditions):
            here = scores.conditions == condition
            rates[condition] = eer(scores.logits[here & ~scores.spoof], scores.logits[here & of_row])[0]
        rows.append(
            Line(
                system=name,
                unseen=systems[0] in unseen,
                chunks=int((of_row & (scores.conditions == scores.conditions[0])).sum()),
                eer=rates,
                missed=float((p_spoof[of_row] < settings.bona_fide_below).mean()),
                inconclusive=_between(p_spoof[of_row], settings),
            )
        )
    return rows


def _between(p_spoof: NDArray[np.float32], settings: CompactSettings) -> float:
    return float(((p_spoof >= settings.bona_fide_below) & (p_spoof < settings.spoof_from)).mean())


def markdown(rows: Sequence[Line]) -> Iterator[str]:
    """The table, in percent."""
    conditions = list(rows[0].eer)
    yield f"| system | chunks | {' | '.join(conditions)} | taken for real | inconclusive |"
    yield "|---|" + "---|" * (len(conditions) + 3)
    for row in rows:
        rates = " | ".join(f"{100 * row.eer[condition]:.1f}" for condition in conditions)
        name = f"{row.system} (unseen)" if row.unseen and not row.system.startswith("all") else row.system
        yield f"| {name} | {row.chunks} | {rates} | {100 * row.missed:.1f} | {100 * row.inconclusive:.1f} |"


def evaluate(corpus: Path, model: Path | None) -> dict[str, object]:
    """Score the corpus's test part; print the table.

    Returns:
        The numbers, ready for JSON.
    """
    settings = CompactSettings(model=model, threads=1)
    detector = CompactDetector(settings)
    utterances = [row for row in read_manifest(corpus) if row.split == "test"]
    scores = score(detector, corpus, utterances, CONDITIONS)
    p_spoof = detector.calibration.probability(scores.logits)
    unseen = {row.system for row in utterances if row.held_out}
    rows = tabulate(scores, p_spoof, unseen, settings)
    human = p_spoof[~scores.spoof]
    print("\n".join(markdown(rows)))
    alarms, between = float((human >= settings.spoof_from).mean()), _between(human, settings)
    print(
        f"\nHuman chunks: {int((~scores.spoof & (scores.conditions == scores.conditions[0])).sum())} as made; "
        f"{100 * alarms:.1f} % taken for synthetic and {100 * between:.1f} % inconclusive over all conditions."
    )
    return {
        "model": detector.name,
        "rows": [asdict(row) for row in rows],
        "human": {"taken_for_synthetic": alarms, "inconclusive": between},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.spoof.recipe.evaluate", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus, with its manifest.jsonl")
    parser.add_argument("--model", type=Path, help="a checkpoint; left out, the one that ships")
    parser.add_argument("--json", type=Path, help="where to write the numbers")
    given = parser.parse_args(arguments)
    report = evaluate(given.corpus, given.model)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
