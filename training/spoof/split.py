"""Recordings divided into those to learn from and those to judge by."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from training.spoof.folders import BONA_FIDE, CLASSES, SPOOF, Recording

_MOST = 0.5
"""No more than this share of a class is held out for the sake of whole groups."""


def split(recordings: Sequence[Recording], dev_share: float, seed: int) -> tuple[list[Recording], list[Recording]]:
    """Divide recordings so that no group, and no file, is on both sides.

    A sub-folder is a group; real and fake sub-folders of one name are the same group, for instance a speaker and the
    clone of that voice. A class with a single group is divided by file.

    Args:
        recordings: Of both classes.
        dev_share: Share of each class's files to hold out, about.
        seed: Decides which.

    Returns:
        Recordings to train on and held-out ones, in their order.

    Raises:
        ValueError: A class is too small, or its groups don't allow it.
    """
    rng = np.random.default_rng(seed)
    units = {label: _units([one for one in recordings if one.label == label]) for label in (BONA_FIDE, SPOOF)}
    shared = _shuffled(set(units[BONA_FIDE]) & set(units[SPOOF]), rng)
    dev = set(_chosen(shared, {name: len(units[BONA_FIDE][name]) for name in shared}, dev_share, 0))
    for of_class in units.values():
        sizes = {name: len(files) for name, files in of_class.items()}
        own = _shuffled(set(sizes) - set(shared), rng)
        held_out = sum(sizes.get(name, 0) for name in dev)
        train_left = any(name not in dev for name in shared)
        dev |= set(_chosen(own, sizes, dev_share, held_out, may_take_all=train_left))
    held = {file.path for of_class in units.values() for name in dev for file in of_class.get(name, ())}
    sides = [one for one in recordings if one.path not in held], [one for one in recordings if one.path in held]
    for side, name in zip(sides, ("training", "held-out"), strict=True):
        for label in (BONA_FIDE, SPOOF):
            if not any(one.label == label for one in side):
                raise ValueError(
                    f"no {name} recordings of class {CLASSES[label]}: each class needs at least two files, "
                    "in two sub-folders where both classes have sub-folders of the same names"
                )
    return sides


def _units(recordings: Sequence[Recording]) -> Mapping[str, list[Recording]]:
    grouped: dict[str, list[Recording]] = {}
    for recording in recordings:
        grouped.setdefault(recording.unit, []).append(recording)
    return grouped if len(grouped) > 1 else {str(one.path): [one] for one in recordings}


def _chosen(
    names: Sequence[str], sizes: Mapping[str, int], share: float, held_out: int, *, may_take_all: bool = False
) -> list[str]:
    """Choose units to hold out until there is enough, and leave at least one to train on."""
    total = sum(sizes.values())
    chosen: list[str] = []
    most = len(names) - (0 if may_take_all else 1)
    for name in names:
        if held_out >= share * total or len(chosen) >= most:
            break
        if held_out + sizes[name] <= _MOST * total:
            chosen.append(name)
            held_out += sizes[name]
    if not held_out and most > 0:
        return [min(names, key=lambda name: sizes[name])]
    return chosen


def _shuffled(names: Iterable[str], rng: np.random.Generator) -> list[str]:
    ordered = sorted(names)
    rng.shuffle(ordered)
    return ordered
