"""Descriptions of many chunks in one file, so that training needs disk for them and not memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import InputError
from models.vad import SileroVad
from training.spoof.folders import Recording, Unusable, reason, spoken_chunks

Pcm = NDArray[np.float32]
Describe = Callable[[Pcm], NDArray[Any]]


@dataclass(frozen=True)
class ChunkBank:
    """Chunks of speech as a network wants them, one behind the other.

    Args:
        rows: What describes them, such as samples or frames, mapped from a file, [total, ...].
        offsets: Where each chunk starts, and the end of the last, int64[N + 1].
        labels: 1 for spoof, 0 for bona fide, int64[N].
        groups: Where each comes from: its sub-folder or its file, str[N].
    """

    rows: NDArray[Any]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chunk: int) -> NDArray[Any]:
        """Return one chunk's rows."""
        return self.rows[self.offsets[chunk] : self.offsets[chunk + 1]]


def fill_bank(
    file: Path,
    recordings: Iterable[Recording],
    describe: Describe,
    *,
    variants: Iterable[Callable[[Pcm], Pcm]] = (),
    on_file: Callable[[Recording], None] = lambda _: None,
) -> tuple[ChunkBank, list[Unusable]]:
    """Read recordings and describe their chunks with speech.

    Args:
        file: Where the rows go.
        recordings: What to read.
        describe: Turns up to 4 s of speech into rows; always of one type and, but for the first axis, one shape.
        variants: Alterations of the speech; each chunk is kept as it is and once more for each of them.
        on_file: Told after each recording.

    Returns:
        The bank, and the recordings that could not be read and are not in it.

    Raises:
        ValueError: There is no speech in any recording.
    """
    vad = SileroVad()
    hear: list[Callable[[Pcm], Pcm]] = [lambda speech: speech, *variants]
    lengths: list[int] = []
    labels: list[int] = []
    groups: list[str] = []
    unusable: list[Unusable] = []
    example: NDArray[Any] | None = None
    with file.open("wb") as written:
        for recording in recordings:
            whole, position = len(lengths), written.tell()
            try:
                for spoken in spoken_chunks(recording.path, vad):
                    for alter in hear:
                        example = np.ascontiguousarray(describe(alter(spoken.samples)))
                        written.write(example.data)
                        lengths.append(len(example))
            except (InputError, OSError) as error:
                unusable.append(Unusable(recording.path, reason(error)))
                del lengths[whole:]
                written.seek(position)
                written.truncate()
            labels += [recording.label] * (len(lengths) - whole)
            groups += [recording.unit] * (len(lengths) - whole)
            on_file(recording)
    if example is None or not lengths:
        why = f"; for instance {unusable[0].path}: {unusable[0].reason}" if unusable else ""
        raise ValueError(f"there is no speech in any of the recordings{why}")
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    rows = np.memmap(file, example.dtype, "r", shape=(int(offsets[-1]), *example.shape[1:]))
    return ChunkBank(rows, offsets, np.array(labels, np.int64), np.array(groups)), unusable
