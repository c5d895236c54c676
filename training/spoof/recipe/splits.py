"""Which part of the data a speaker belongs to."""

import zlib
from pathlib import Path
from typing import Literal

Split = Literal["train", "dev", "test"]


def split_of(speaker: str) -> Split:
    """Assign a speaker to a part of the data, 60/20/20, by the name alone."""
    place = zlib.crc32(speaker.encode()) % 10
    return "train" if place < 6 else "dev" if place < 8 else "test"


def speaker_of(recording: Path) -> str:
    """The speaker in a recording's file name, ``<speaker>-....flac``."""
    return recording.stem.split("-")[0]
