"""The corpus as the network learns from it: every utterance described several times, each time degraded differently.

The bank lies beside the corpus and only ever grows, so that a corpus to which a system was added is soon ready again.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from models.spoof.features import FEATURES, WIDTH, describe
from training.spoof.recipe.codecs import Pcm, amr, telephone_8k
from training.spoof.recipe.corpus import Row
from training.spoof.recipe.corpus import load as load_recording
from training.spoof.recipe.degrade import band_limited, degrade, mixed
from training.spoof.training import FeatureBank

LONGEST = 5 * SAMPLE_RATE
"""Samples of an utterance that one variant is made of; which ones is random."""

CLEAN_EVERY = 6
"""One variant in so many is described as it is."""

TOGETHER = 0.25
"""Share of the other variants in which a second voice of the same kind speaks at the same time."""

BY_TELEPHONE = 0.25
"""Share that goes through a telephone in the end."""

_BYTES = WIDTH * np.dtype(np.float16).itemsize


@dataclass(frozen=True)
class Description:
    """One variant of an utterance in the bank, as a line of its index.

    Args:
        path: The utterance's, relative to the corpus.
        variant: Its number.
        frames: How many frames it has.
    """

    path: str
    variant: int
    frames: int


def extend(
    corpus: Path,
    utterances: Sequence[Row],
    variants: Callable[[Row], int],
    *,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Add to the bank what it doesn't hold yet.

    Args:
        corpus: Folder of the corpus.
        utterances: What should be in the bank.
        variants: How many variants of an utterance.
        processes: How many work at it.
        progress: Told how many utterances of how many are done.
    """
    folder = _folder(corpus)
    folder.mkdir(exist_ok=True)
    held = {(row.path, row.variant) for row in _index(folder)}
    wanted = ((one, [v for v in range(variants(one)) if (one.path, v) not in held]) for one in utterances)
    missing = [(one, _second_voice(one, utterances), numbers) for one, numbers in wanted if numbers]
    frames = sum(row.frames for row in _index(folder))
    with get_context("spawn").Pool(processes) as pool, (folder / "bands.f16").open("ab") as bands:
        bands.truncate(frames * _BYTES)
        with (folder / "index.jsonl").open("a", encoding="utf-8") as index:
            for done, (made, (one, _, numbers)) in enumerate(
                zip(pool.imap(partial(_described, corpus), missing), missing, strict=True), 1
            ):
                for number, described in zip(numbers, made, strict=True):
                    bands.write(described.tobytes())
                    bands.flush()
                    index.write(json.dumps({"path": one.path, "variant": number, "frames": len(described)}) + "\n")
                    index.flush()
                progress(done, len(missing))


def load(corpus: Path, utterances: Sequence[Row]) -> FeatureBank:
    """Open the part of the bank that holds these utterances, mapped from its file."""
    folder = _folder(corpus)
    rows = list(_index(folder))
    bands = np.memmap(folder / "bands.f16", np.float16, "r").reshape(-1, WIDTH)
    wanted = {one.path: one for one in utterances}
    ends = np.cumsum([row.frames for row in rows])
    kept = [(row, end) for row, end in zip(rows, ends, strict=True) if row.path in wanted]
    return FeatureBank(
        bands,
        np.array([end - row.frames for row, end in kept], np.int64),
        np.array([end for _, end in kept], np.int64),
        np.array([int(wanted[row.path].label == "spoof") for row, _ in kept], np.int64),
        np.array([wanted[row.path].system for row, _ in kept]),
    )


def _second_voice(utterance: Row, utterances: Sequence[Row]) -> Row:
    others = [other for other in utterances if other.system == utterance.system]
    return others[zlib.crc32(utterance.path.encode()) % len(others)]


def _described(corpus: Path, task: tuple[Row, Row, list[int]]) -> list[NDArray[np.float16]]:
    utterance, second, variants = task
    pcm, second_voice = (load_recording(corpus / row.path) for row in (utterance, second))
    made = []
    for variant in variants:
        rng = np.random.default_rng((zlib.crc32(utterance.path.encode()), variant))
        heard = _stretch(pcm, rng)
        if variant % CLEAN_EVERY:
            if rng.random() < TOGETHER:
                heard = mixed(heard, np.resize(_stretch(second_voice, rng), len(heard)), float(rng.uniform(0, 15)))
            heard = degrade(heard, rng, float(rng.uniform(0.3, 1.0)))
            if rng.random() < BY_TELEPHONE:
                heard = _by_telephone(heard, rng)
        made.append(describe(heard).astype(np.float16))
    return made


def _stretch(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    start = int(rng.integers(max(len(pcm) - LONGEST, 0) + 1))
    return pcm[start : start + LONGEST]


def _by_telephone(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    heard = band_limited(pcm, float(rng.uniform(150, 350)), float(rng.uniform(3000, 3800)))
    if rng.random() < 0.5:
        return amr(heard, int(rng.choice([4750, 7950, 12200])))
    return telephone_8k(heard, "mu" if rng.random() < 0.5 else "a")


def _folder(corpus: Path) -> Path:
    return corpus / f"bank-{FEATURES.replace('/', '-')}"


def _index(folder: Path) -> Iterator[Description]:
    file = folder / "index.jsonl"
    if file.is_file():
        with file.open(encoding="utf-8") as lines:
            yield from (Description(**json.loads(line)) for line in lines if line.endswith("\n"))
