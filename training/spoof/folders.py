"""Users' folders of real and of synthetic speech, read chunk by chunk."""

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, stream
from models.errors import InputError
from models.spoof.chunks import Chunk, cut
from models.vad import SileroVad

BONA_FIDE, SPOOF = 0, 1
CLASSES = ("bona_fide", "spoof")
"""Names of the labels 0 and 1."""

MIN_SPEECH_S = 0.5
"""Chunks with less speech don't count, as in the spoof graph."""

# Beside recordings there may be transcripts, tables and pictures; anything else is tried.
_OTHER_TYPES = ("text/", "image/", "application/json", "application/pdf", "application/x-sh", "application/zip")


@dataclass(frozen=True)
class Recording:
    """One file of a user's folder.

    Args:
        path: Where it is.
        label: 1 for spoof, 0 for bona fide.
        group: The sub-folder directly under the user's folder, for instance a speaker or a synthesiser; None for a
            file that is in no sub-folder.
    """

    path: Path
    label: int
    group: str | None

    @property
    def unit(self) -> str:
        """Unit that must not be split: the group, or the file itself."""
        return self.group if self.group is not None else str(self.path)


@dataclass(frozen=True)
class SpokenChunk:
    """A chunk in which somebody speaks, with the seconds of speech in its own stretch."""

    chunk: Chunk
    speech: float

    @property
    def samples(self) -> NDArray[np.float32]:
        """The chunk without padding, at most 4 s."""
        return self.chunk.window[: self.chunk.length]


@dataclass(frozen=True)
class Unusable:
    """A file that could not be read, and why."""

    path: Path
    reason: str


def find_recordings(real: Path, fake: Path) -> list[Recording]:
    """List the files of both folders in a fixed order, sub-folders included.

    Hidden files and files that by their name are text, tables or pictures are left out.

    Raises:
        ValueError: A folder does not exist, holds no file, or lies inside the other.
    """
    inside = real.resolve().is_relative_to(fake.resolve()) or fake.resolve().is_relative_to(real.resolve())
    if inside:
        raise ValueError(
            f"{real} and {fake} hold the same files; real and fake speech must lie in folders of their own"
        )
    return [*_files(real, BONA_FIDE), *_files(fake, SPOOF)]


def spoken_chunks(path: Path, vad: SileroVad) -> Iterator[SpokenChunk]:
    """Decode a recording and yield the chunks with speech, in memory that doesn't grow with its length.

    Raises:
        InputError: The file can't be used, which may turn out only at its end.
        OSError: It can't be read.
    """
    with path.open("rb") as file:
        for chunk in cut(stream(file)):
            own = chunk.window[: chunk.length][-round((chunk.end - chunk.start) * SAMPLE_RATE) :]
            speech = sum(span.duration for span in vad.speech(own))
            if speech >= MIN_SPEECH_S:
                yield SpokenChunk(chunk, speech)


def reason(error: InputError | OSError) -> str:
    """Say why a file could not be read."""
    return error.message if isinstance(error, InputError) else error.strerror or str(error)


def _files(folder: Path, label: int) -> list[Recording]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and not _is_other(path):
            found.append(Recording(path, label, parts[0] if len(parts) > 1 else None))
    if not found:
        raise ValueError(f"{folder} holds no recordings: both real and fake speech are needed")
    return found


def _is_other(path: Path) -> bool:
    guessed, _ = mimetypes.guess_type(path.name)
    return guessed is not None and guessed.startswith(_OTHER_TYPES)
